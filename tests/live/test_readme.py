"""The README's commands work as they stand. Only the port is another one."""

import json
import re
import subprocess

from tests.live.conftest import PROJECT


def test_it_works(platform, tmp_path):
    readme = (PROJECT / "README.md").read_text()
    blocks = re.findall(r"^```bash\n(.*?)^```$", readme, re.M | re.S)
    assert len(blocks) == 5
    script = "".join(blocks).replace("http://localhost:8000", platform.url)
    # Its paths are those of the project's folder; what it writes goes elsewhere.
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in re.findall(r"\{.*?\}(?=\{|$)", done.stdout, re.M)]
    single, many = answers[-2:]
    assert single["prediction"] == "setosa"
    assert single["probabilities"]["setosa"] == 1.0
    assert single["model_version"] == 1
    assert many["predictions"] == ["setosa", "virginica"]
