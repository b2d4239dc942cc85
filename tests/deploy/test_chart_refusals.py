"""The Helm chart refuses a wrong value, and says which it is."""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.charts import CLOUD, OPERATOR, values
from tools import helm

pytestmark = pytest.mark.usefixtures("helm_program")


@pytest.mark.parametrize(
    ("flat", "named"),
    [
        pytest.param({"cloudcontroller.replicas": 1}, "'cloudcontroller'", id="unknown group"),
        pytest.param({f"{CLOUD}.replica": 1}, f"'/{CLOUD}'.*'replica'", id="unknown value"),
        pytest.param({f"{CLOUD}.replicas": -1}, f"/{CLOUD}/replicas", id="too few"),
        pytest.param({f"{CLOUD}.replicas": "two"}, f"/{CLOUD}/replicas", id="no number"),
        pytest.param({f"{CLOUD}.enabled": "yes"}, f"/{CLOUD}/enabled", id="no boolean"),
        pytest.param(
            {f"{CLOUD}.metacontroller": "sidecar"},
            f"/{CLOUD}/metacontroller.*'own', 'cluster'",
            id="no choice",
        ),
        pytest.param(
            {f"{CLOUD}.settings": {"LOGLEVEL": "debug"}},
            f"/{CLOUD}/settings'.*'LOGLEVEL'",
            id="unknown setting",
        ),
        pytest.param(
            {f"{CLOUD}.settings": {"BIND": ":80"}}, f"/{CLOUD}/settings.*BIND", id="fixed setting"
        ),
        pytest.param(
            {f"{CLOUD}.resources": {"limits": {"memory": "1 GB"}}},
            f"/{CLOUD}/resources/limits/memory",
            id="no quantity",
        ),
        pytest.param(
            {f"{CLOUD}.tolerations": [{"effect": "Never"}]},
            f"/{CLOUD}/tolerations/0/effect",
            id="no toleration",
        ),
        pytest.param(
            {f"{OPERATOR}.metacontroller": "own", f"{OPERATOR}.tls": "server"},
            f"/{OPERATOR}/tls.*'none'",
            id="TLS without anybody to speak it to",
        ),
        pytest.param(
            {f"{CLOUD}.networkPolicy": True}, f"/{CLOUD}/networkPolicy.*false", id="on loopback"
        ),
        pytest.param({f"{CLOUD}.settings": None}, f"/{CLOUD}'.*'settings'", id="taken away"),
        pytest.param(
            {f"{CLOUD}.metacontrollerAccount": "metacontroller"},
            f"/{CLOUD}/metacontrollerAccount",
            id="no account",
        ),
        pytest.param({f"{OPERATOR}.shard": "a-b"}, f"/{OPERATOR}/shard", id="no shard"),
        pytest.param({"image.tag": "a b"}, "/image/tag", id="no tag"),
        pytest.param({"image.digest": "sha256:0"}, "/image/digest", id="no digest"),
        pytest.param(
            {"image.tag": f"1@sha256:{'0' * 64}"}, "/image/tag", id="a digest is no part of a tag"
        ),
        pytest.param(
            {"global.imageRegistry": "https://r.example.com"},
            "/global/imageRegistry",
            id="no registry",
        ),
        pytest.param(
            {f"{CLOUD}.podLabels": {"app.kubernetes.io/name": "mine"}},
            f"/{CLOUD}/podLabels/app.kubernetes.io~1name",
            id="the label of the selector",
        ),
        pytest.param(
            {f"{CLOUD}.affinity": {"nodeAffinty": {}}}, f"/{CLOUD}/affinity.*nodeAffinty", id="typo"
        ),
        pytest.param(
            {f"{CLOUD}.extraEnv": [{"name": "A", "value": "b", "valueFrom": {}}]},
            f"/{CLOUD}/extraEnv/0",
            id="two values",
        ),
        pytest.param(
            {f"{CLOUD}.extraEnv": [{"name": "BIND", "value": ":80"}]},
            "extraEnv: BIND is set already, by the chart or in settings",
            id="what the chart sets",
        ),
        pytest.param(
            {
                f"{CLOUD}.settings": {"LOG_LEVEL": "info"},
                f"{CLOUD}.extraEnv": [{"name": "LOG_LEVEL", "value": "debug"}],
            },
            "extraEnv: LOG_LEVEL is set already",
            id="what settings set",
        ),
        pytest.param(
            {f"{CLOUD}.extraVolumes": [{"name": "tmp", "emptyDir": {}}]},
            'extraVolumes: "tmp" is a volume of the chart',
            id="a volume of the chart",
        ),
        pytest.param(
            {
                f"{CLOUD}.extraVolumes": [
                    {"name": "a", "emptyDir": {}, "secret": {"secretName": "b"}}
                ]
            },
            f"/{CLOUD}/extraVolumes/0",
            id="two kinds of volume",
        ),
        pytest.param({"monitoring.interval": "often"}, "/monitoring/interval", id="no interval"),
        pytest.param({"image.repository": "https://x/y"}, "/image/repository", id="no repository"),
        pytest.param({"apiServer.port": 0}, "/apiServer/port", id="no port"),
        pytest.param({"imagePullSecrets": ["", "b"]}, "/imagePullSecrets/0", id="no name"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(
    tmp_path: Path, flat: dict[str, Any], named: str
) -> None:
    with pytest.raises(helm.HelmError, match=f"(?s){named}"):
        helm.template(*values(tmp_path, flat))
