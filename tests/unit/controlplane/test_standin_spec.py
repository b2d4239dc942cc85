import pytest

from tests.controlplane.api import Object
from tests.controlplane.standin import spec

HOOK = {"version": "v2", "webhook": {"url": "http://127.0.0.1:1/sync"}}


def controller(kind: str = "DecoratorController", **changes: object) -> Object:
    asked: Object = {"hooks": {"sync": HOOK}}
    if kind == "DecoratorController":
        asked["resources"] = [{"apiVersion": "v1", "resource": "nodes"}]
    else:
        asked["parentResource"] = {"apiVersion": "x.io/v1", "resource": "things"}
        asked["generateSelector"] = True
    return {"kind": kind, "metadata": {"name": "judged"}, "spec": {**asked, **changes}}


def hook(**changes: object) -> Object:
    return {"sync": {**HOOK, **changes}}


def webhook(**changes: object) -> Object:
    return hook(webhook={"url": "http://127.0.0.1:1/sync", **changes})


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param(controller(bogus=1), 'unknown field "spec.bogus"', id="unknown field"),
        pytest.param(controller(hooks={}), "spec.hooks.sync", id="no sync hook"),
        pytest.param(
            controller(hooks=hook(version="v1")), "spec.hooks.sync.version: v1 is not v2", id="v1"
        ),
        pytest.param(
            controller(hooks={"sync": {"webhook": {"url": "x"}}}), "None is not v2", id="no version"
        ),
        pytest.param(
            controller(hooks=webhook(etag={"enabled": True})), "webhook.etag", id="an ETag"
        ),
        pytest.param(controller(hooks=webhook(caBundle={})), "webhook.caBundle", id="TLS settings"),
        pytest.param(controller(hooks=webhook(url="")), "webhook.url", id="no URL"),
        pytest.param(
            controller(hooks=webhook(timeout="15")), "15 is not a duration, as 15s is", id="no unit"
        ),
        pytest.param(
            controller(hooks=webhook(authorization={"type": "basic", "secretRef": {}})),
            "authorization.type",
            id="Basic as a type",
        ),
        pytest.param(
            controller(
                attachments=[
                    {
                        "apiVersion": "v1",
                        "resource": "pods",
                        "updateStrategy": {"method": "RollingInPlace"},
                    }
                ]
            ),
            "updateStrategy.method of pods: RollingInPlace",
            id="rolling updates",
        ),
        pytest.param(controller(resyncPeriodSeconds=1.5), "spec.resyncPeriodSeconds", id="1.5"),
        pytest.param(
            controller("CompositeController", generateSelector=False),
            "spec.generateSelector",
            id="a selector of the parent's own",
        ),
        pytest.param(
            controller("CompositeController", attachments=[]),
            'unknown field "spec.attachments"',
            id="a decorator's field",
        ),
    ],
)
def test_what_the_stand_in_does_not_do_is_refused(written: Object, said: str) -> None:
    with pytest.raises(spec.SpecError) as refused:
        spec.parse(written)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "finalizer"),
    [
        ("DecoratorController", "metacontroller.io/decoratorcontroller-judged"),
        ("CompositeController", "metacontroller.io/compositecontroller-judged"),
    ],
)
def test_the_finalizer_is_named_after_the_controller(kind: str, finalizer: str) -> None:
    assert spec.parse(controller(kind)).finalizer == finalizer


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("15s", 15.0), ("1m30s", 90.0), ("500ms", 0.5), ("1.5h", 5400.0), ("0s", 10.0)],
)
def test_durations_are_read_as_go_writes_them(duration: str, seconds: float) -> None:
    assert spec.seconds("timeout", duration) == seconds


def test_a_hook_without_a_timeout_has_ten_seconds() -> None:
    assert spec.parse(controller()).hooks["sync"].timeout == 10.0
