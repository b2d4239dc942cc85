"""TLS at the load balancer: uploaded, assigned, rotated, repaired, refused, removed."""

import json
import logging

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from hooks.cloudstack import Cloud
from hooks.http.bounded_json import Json
from hooks.kube.client import KubeRefused
from hooks.loadbalancers.hook import LoadBalancersHook
from hooks.names import EVENT_ADDRESS_KEPT, EVENT_CERTIFICATE, EVENT_REPAIRED
from tests.integration.loadbalancers.certificates import (
    SECRET,
    asked,
    certificates,
    make_certificate,
    pem_of,
    put,
    rsa_key,
    secret,
    secret_path,
    secured,
    shown,
    tls,
    tls_hook,
)
from tests.integration.loadbalancers.driver import NOTHING, LoadBalancer, World, make_hook, port

UPLOAD, ASSIGN, DELETE = "uploadSslCert", "assignCertToLoadBalancer", "deleteSslCert"


@pytest.fixture
def hook(world: World, cloud: Cloud) -> LoadBalancersHook:
    return tls_hook(world, cloud)


def ready(lb: LoadBalancer) -> tuple[str, str]:
    """Return status and reason of the condition about the certificate."""
    found = lb.condition("CertificateReady")
    return str(found["status"]), str(found["reason"])


def told(world: World, lb: LoadBalancer, caplog: pytest.LogCaptureFixture) -> str:
    """Return everything that people may read: statuses, Events and logs."""
    answers = [dict(each.response) for each in lb.answers]
    return json.dumps(answers) + str(world.cluster.events) + caplog.text


def protocols(world: World) -> dict[int, str]:
    return {each["publicport"]: each["protocol"] for each in world.rules()}


def test_a_port_shows_the_certificate_of_its_secret_and_all_goes_with_the_service(
    world: World, hook: LoadBalancersHook, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        key = put(world)
        lb = secured(world, [tls(443), port(80)]).settle(hook)
        assert lb.is_ready(), lb.condition("RulesReady")
        assert shown(world) == {443: asked(world), 80: None}
        assert protocols(world) == {443: "ssl", 80: "tcp"}
        assert (len(certificates(world)), ready(lb)) == (1, ("True", "Valid"))
        assert lb.status["certificate"]["secret"] == SECRET
        world.simulator.control.clear_calls()
        lb.wait(hook)
        assert (world.writes(), world.cluster.reads[-1:]) == ({}, [secret_path()])
        lb.delete()
        lb.settle(hook)
    assert world.remains() == NOTHING
    texts = told(world, lb, caplog)
    assert key[40:80] not in texts
    assert "PRIVATE KEY" not in texts


def test_members_come_after_the_certificate(world: World, hook: LoadBalancersHook) -> None:
    put(world)
    secured(world).settle(hook)
    order = [each["command"] for each in world.simulator.control.calls()]
    assert order.index(UPLOAD) < order.index("createLoadBalancerRule") < order.index(ASSIGN)
    assert order.index(ASSIGN) < order.index("assignToLoadBalancerRule")


def test_a_certificate_is_replaced_by_one_command_and_the_old_one_goes(
    world: World, hook: LoadBalancersHook
) -> None:
    put(world)
    lb = secured(world, [tls(443), tls(8443)]).settle(hook)
    for number in range(5):
        put(world, number=number % 2)
        world.simulator.control.clear_calls()
        lb.wait(hook)
        assert shown(world) == {443: asked(world), 8443: asked(world)}
        assert world.writes() == {UPLOAD: 1, ASSIGN: 2, DELETE: 1}
    assert lb.is_ready()
    assert EVENT_REPAIRED not in world.cluster.reasons()


def test_a_live_port_changes_to_tls_and_back(world: World, hook: LoadBalancersHook) -> None:
    put(world)
    lb = LoadBalancer(world, ports=[port(443)]).settle(hook)
    [before] = world.rules()
    lb.change(ports=[tls(443)])
    lb.settle(hook)
    [after] = world.rules()
    assert (after["id"], shown(world)) == (before["id"], {443: asked(world)})
    lb.change(ports=[port(443)])
    lb.settle(hook)
    assert (protocols(world), certificates(world)) == ({443: "tcp"}, [])
    assert "certificate" not in lb.status
    assert lb.is_ready()


def unbind(world: World) -> None:
    world.human.done("removeCertFromLoadBalancer", lbruleid=world.rules()[0]["id"])


def replace_by_another(world: World) -> None:
    pair = make_certificate(world.now, "theirs", key=rsa_key(1)), pem_of(rsa_key(1))
    made = world.human.ok(UPLOAD, name="theirs", certificate=pair[0], privatekey=pair[1])["sslcert"]
    wanted = {"lbruleid": world.rules()[0]["id"], "certid": made["id"]}
    world.human.done(ASSIGN, **wanted, forced=True)


def delete_all(world: World) -> None:
    unbind(world)
    for each in certificates(world):
        world.human.ok(DELETE, id=each["id"])


@pytest.mark.parametrize("drift", [unbind, replace_by_another, delete_all])
def test_what_somebody_changes_is_right_again(
    world: World, hook: LoadBalancersHook, drift: object
) -> None:
    put(world)
    lb = secured(world).settle(hook)
    assert callable(drift)
    drift(world)
    lb.wait(hook)
    assert shown(world) == {443: asked(world)}
    assert EVENT_REPAIRED in world.cluster.reasons()
    lb.delete()
    lb.settle(hook)
    assert [each["name"] for each in certificates(world) if each["name"] != "theirs"] == []


def bad_secrets(world: World) -> dict[str, tuple[Json | None, str, str]]:
    """Return Secrets that cannot be used, each with the reason and words of the condition."""
    now, key = world.now, rsa_key()
    good, elliptic = make_certificate(now, key=key), ec.generate_private_key(ec.SECP256R1())
    locked = key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    ).decode()
    bad = "BadSecret"
    return {
        "none": (None, "NoSecret", "there is no Secret"),
        "of another type": (secret(good, pem_of(key), "Opaque"), bad, "is of type 'Opaque'"),
        "elliptic": (
            secret(make_certificate(now, key=elliptic), pem_of(elliptic)), bad, "is not RSA",
        ),
        "another's key": (secret(good, pem_of(rsa_key(1))), bad, "not that of the first"),
        "expired": (
            secret(make_certificate(now, days=-1, key=key), pem_of(key)), bad, "expired at",
        ),
        "locked": (secret(good, locked), bad, "behind a password"),
        "no key": (secret(good, "hello"), bad, "no private key"),
        "no certificate": (secret("hello", pem_of(key)), bad, "no certificate"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "kind",
    ["none", "of another type", "elliptic", "another's key", "expired", "locked", "no key",
     "no certificate"],
)  # fmt: skip
def test_what_cannot_be_used_is_said_before_anything_is_made_and_ends_nothing(
    world: World, hook: LoadBalancersHook, kind: str
) -> None:
    found, reason, words = bad_secrets(world)[kind]
    if found is not None:
        world.cluster.objects[secret_path()] = found
    lb = secured(world, [tls(443), port(80)]).settle(hook)
    assert ready(lb) == ("False", reason)
    assert words in lb.condition("CertificateReady")["message"]
    assert not lb.is_ready()
    assert (protocols(world), certificates(world)) == ({80: "tcp"}, [])
    assert EVENT_CERTIFICATE in world.cluster.reasons()
    put(world)
    lb.wait(hook)
    assert (lb.is_ready(), shown(world)) == (True, {80: None, 443: asked(world)})
    before = shown(world)
    if found is None:
        world.cluster.objects.pop(secret_path())
    else:
        world.cluster.objects[secret_path()] = found
    lb.wait(hook)
    assert (lb.is_ready(), shown(world)) == (True, before)
    assert ready(lb) == ("False", reason)


def test_without_the_right_no_secret_is_read(world: World, cloud: Cloud) -> None:
    put(world)
    lb = secured(world).settle(make_hook(world, cloud))
    assert ready(lb) == ("False", "SecretsNotAllowed")
    assert (world.rules(), certificates(world)) == ([], [])
    assert secret_path() not in world.cluster.reads


def test_a_right_that_goes_ends_nothing(
    world: World, cloud: Cloud, hook: LoadBalancersHook
) -> None:
    put(world)
    lb = secured(world).settle(hook)
    lb.wait(make_hook(world, cloud))
    assert (lb.is_ready(), shown(world)) == (True, {443: asked(world)})
    assert ready(lb) == ("False", "SecretsNotAllowed")
    world.cluster.refused["get"] = KubeRefused("GET", 403, "forbidden")
    lb.wait(hook)
    assert shown(world) == {443: asked(world)}


def test_the_end_of_a_certificate_is_told_seven_days_before_and_once(
    world: World, hook: LoadBalancersHook
) -> None:
    put(world, days=7.2)
    lb = secured(world).settle(hook)
    assert ready(lb) == ("True", "Valid")
    for _ in range(3):
        world.advance(6 * 3600)
        lb.settle(hook)
    assert ready(lb) == ("True", "ExpiresSoon")
    assert world.cluster.reasons().count(EVENT_CERTIFICATE) == 1
    assert lb.is_ready(), lb.condition("Ready")


def test_a_network_that_takes_no_certificate_is_said(cloud: Cloud, world: World) -> None:
    world.simulator.world.version = (4, 20)
    put(world)
    lb = secured(world, [tls(443), port(80)]).settle(tls_hook(world, cloud))
    assert ready(lb) == ("False", "NotServedHere")
    assert secret_path() not in world.cluster.reads
    assert (protocols(world), certificates(world)) == ({80: "tcp"}, [])


def test_plan_mode_says_what_would_be_done(world: World, hook: LoadBalancersHook) -> None:
    put(world)
    lb = secured(world, mode="Plan").settle(hook)
    plan = lb.status["plan"]
    assert any(each.startswith("upload certificate") for each in plan), plan
    assert any(each.startswith("assign certificate") for each in plan), plan
    assert certificates(world) == []


def test_a_certificate_with_our_name_and_other_content_is_not_ours(
    world: World, hook: LoadBalancersHook
) -> None:
    put(world)
    lb = secured(world).settle(hook)
    [ours] = certificates(world)
    pair = make_certificate(world.now, "theirs", key=rsa_key(1)), pem_of(rsa_key(1))
    world.human.ok(UPLOAD, name=ours["name"], certificate=pair[0], privatekey=pair[1])
    lb.wait(hook)
    lb.delete()
    lb.settle(hook)
    assert [each["certificate"] for each in certificates(world)] == [pair[0]]


def test_two_services_of_one_secret_have_a_certificate_each(
    world: World, hook: LoadBalancersHook
) -> None:
    put(world)
    first, second = (secured(world, name=name).settle(hook) for name in ("web", "shop"))
    assert len(certificates(world)) == 2
    first.delete()
    first.settle(hook)
    assert (len(certificates(world)), second.is_ready()) == (1, True)


def test_a_certificate_that_is_rotated_every_second_leaves_no_rule_without_one(
    world: World, cloud: Cloud
) -> None:
    """For a minute, two replicas look whenever a status is shown, now and then a late one."""
    put(world)
    hooks = [tls_hook(world, cloud, drift_resync=10.0) for _ in range(2)]
    lb = secured(world, [tls(443), tls(8443)]).settle(*hooks)
    for second in range(60):
        put(world, number=second % 2)
        world.advance(12)
        lb.late = second % 7 == 3
        lb.call(hooks[second % 2])
        assert all(shown(world).values()), second
        assert protocols(world) == {443: "ssl", 8443: "ssl"}
    lb.late = False
    lb.wait(*hooks)
    assert shown(world) == {443: asked(world), 8443: asked(world)}
    assert len(certificates(world)) == 1
    commands = world.simulator.control.counts()
    assert not {"removeCertFromLoadBalancer", "updateLoadBalancerRule"} & set(commands)
    assert len(commands) > 0


def test_a_service_that_is_made_again_has_a_certificate_of_its_own(
    world: World, hook: LoadBalancersHook
) -> None:
    """The old object's goes once no rule has it."""
    put(world)
    old = secured(world).settle(hook)
    old.delete()
    new = secured(world, uid="11111111-2222-4333-8444-555555555555")
    for _ in range(30):
        old.call(hook)
        new.call(hook)
        world.advance(2)
    new.settle(hook)
    old.settle(hook)
    assert (new.is_ready(), old.is_finalized()) == (True, True)
    assert shown(world) == {443: asked(world)}
    assert len(certificates(world)) == 1


def test_the_old_object_goes_though_a_rule_of_somebody_else_has_its_certificate(
    world: World, hook: LoadBalancersHook
) -> None:
    put(world)
    LoadBalancer(world, ports=[port(80)], name="shop").settle(hook)
    old = secured(world).settle(hook)
    [shop] = [each for each in world.rules() if each["publicport"] == 80]
    theirs = world.human.done(
        "createLoadBalancerRule",
        name="theirs",
        publicport=9443,
        privateport=30999,
        algorithm="roundrobin",
        protocol="ssl",
        publicipid=shop["addressid"],
        openfirewall=False,
    )["loadbalancer"]
    [ours] = certificates(world)
    world.human.done(ASSIGN, lbruleid=theirs["id"], certid=ours["id"])
    old.delete()
    new = secured(world, uid="11111111-2222-4333-8444-555555555555")
    for _ in range(30):
        old.call(hook)
        new.call(hook)
        world.advance(20)
    assert (new.is_ready(), old.is_finalized()) == (True, True)
    assert ours["id"] in {each["id"] for each in certificates(world)}
    assert EVENT_ADDRESS_KEPT in world.cluster.reasons()


def test_an_error_that_quotes_the_key_shows_none_of_it(
    world: World, hook: LoadBalancersHook, caplog: pytest.LogCaptureFixture
) -> None:
    key = put(world)
    text = f"Parsing certificate/key failed: {key}"
    world.simulator.control.fault(UPLOAD, "error", code=530, text=text, times=None)
    lb = secured(world)
    lb.call(hook)
    lb.wait(hook)
    shown_text = told(world, lb, caplog)
    assert "Parsing certificate/key failed" in shown_text
    lines = [line for line in key.splitlines() if not line.startswith("-----")]
    assert not [line for line in lines if line in shown_text]


def test_a_rule_that_is_made_again_has_its_certificate_though_the_secret_is_gone(
    world: World, hook: LoadBalancersHook
) -> None:
    put(world)
    lb = secured(world).settle(hook)
    before = shown(world)
    assert before
    world.cluster.objects.pop(secret_path())
    [rule] = world.rules()
    world.human.done("deleteLoadBalancerRule", id=rule["id"])
    lb.wait(hook)
    [again] = world.rules()
    assert again["id"] != rule["id"]
    assert set(again["members"]) == set(world.nodes)
    assert shown(world) == before
