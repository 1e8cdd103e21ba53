"""docs/configuration.md and the example say what the code does."""

import re
import tomllib
from pathlib import Path

from console.config.load import load_config
from console.config.problems import ConfigErrors
from console.model.policy import Policy

DOCS = Path(__file__).parents[2] / "docs"
MINIMAL = "version = 1\n[environments.production]\n"


def test_the_documented_defaults_of_the_policy_are_the_real_ones(tmp_path: Path) -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    section = text[text.index("### `[policy]`") : text.index("Each of `burn`")]
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| (?:`([^`]+)`|three, below) \|", section, re.M)
    body = "\n".join(f"policy.{key} = {default}" for key, default in rows if default)
    path = tmp_path / "cofa.toml"
    path.write_text(MINIMAL + body)
    assert len(rows) == len(Policy.__dataclass_fields__)
    assert load_config(path).environments["production"].policy == Policy()


def test_the_examples_policy_is_the_default_but_for_its_tables() -> None:
    policy = load_config(DOCS / "cofa.example.toml").environments["production"].policy
    usual = Policy()
    differing = {
        name
        for name in Policy.__dataclass_fields__
        if getattr(policy, name) != getattr(usual, name)
    }
    assert differing == {"p95_endpoints", "replicas"}


def test_every_toml_block_of_the_documentation_is_right(tmp_path: Path) -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        tomllib.loads(block)
        whole = block if block.startswith("version") else f"version = 1\n{block}"
        whole += '\n[[environments.production.hosts]]\nname = "spare"\n'
        path = tmp_path / "cofa.toml"
        path.write_text(whole)
        try:
            load_config(path)
        except ConfigErrors as error:
            # A block on its own may name a host that another block defines.
            assert all("no host" in problem.fault for problem in error.problems), error
