"""The plugin checks hyper-parameters by a resource of its own: it must say what the trainer's registry says.

After a wanted change run ``pytest tests/contract/test_known_models.py --update-golden``.
"""

import json
from pathlib import Path

from gds_pipelines import models
from gds_pipelines.naming import to_camel

ROOT = Path(__file__).resolve().parents[2]
RESOURCE = ROOT / "cypher" / "plugin" / "src" / "main" / "resources" / "gnn4j" / "models.json"
KEYS = ("type", "default", "low", "high", "above", "choices")


def _entry(model):
    described = model.describe()
    return {
        "name": described["name"],
        "default": described["name"] == models.DEFAULT_MODEL,
        "contract": described["contract"],
        "needs": list(described["needs"]),
        "readsFeatures": model.reads_features,
        "parameters": [
            {"name": to_camel(one["name"])} | {key: one[key] for key in KEYS if key in one}
            for one in described["parameters"]
        ],
    }


def test_the_plugin_knows_the_models_of_the_registry(request):
    # Models of other packages of this machine are not the plugin's.
    own = [one for one in models.registry().values() if one.__module__.startswith("gds_pipelines.")]
    text = json.dumps([_entry(one) for one in own], indent=1, allow_nan=False) + "\n"
    if request.config.getoption("--update-golden"):
        RESOURCE.parent.mkdir(parents=True, exist_ok=True)
        RESOURCE.write_text(text, encoding="utf-8")
    assert json.loads(RESOURCE.read_text(encoding="utf-8")) == json.loads(text)
