"""``profiles``: listed with and without a database, checked, brought in, taken out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from producer_agent.delivery.profiles import Profile
from producer_agent.delivery.shipped_profiles import shipped_profiles
from producer_agent.store import commands, profiles
from producer_agent.store.database import open_database
from producer_agent.store.reader import Reader
from tests.cli.conftest import Invoke, document
from tests.cli.test_docs import example, keys_of


def body(name: str = "mine", **changes: Any) -> str:
    return json.dumps({"name": name, "workload": {"topic": "mine"}} | changes)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A profile that can be run."""
    path = tmp_path / "mine.json"
    path.write_text(body())
    return path


def test_without_a_database_the_shipped_ones_are_listed_and_none_is_made(
    invoke: Invoke, db_path: Path
) -> None:
    result = invoke("profiles", "list", "--json")
    assert [entry["name"] for entry in document(result)["profiles"]] == [
        profile.name for profile in shipped_profiles()
    ]
    assert "no database" in result.stderr
    assert not db_path.exists()


def test_a_stored_profile_is_listed_as_it_now_is(invoke: Invoke, db_path: Path, file: Path) -> None:
    invoke("profiles", "import", file)
    db = open_database(db_path)
    with db.atomic():
        profiles.want(db, "mine", running=True)
        profiles.set_rate(db, "mine", 77.0)
    db.close()
    (entry,) = document(invoke("profiles", "list", "--json"))["profiles"]
    assert (entry["name"], entry["rate_per_s"], entry["starts_with_agent"]) == ("mine", 77.0, True)
    assert (entry["running"], entry["shipped"], entry["unusable"]) == (False, False, None)
    assert keys_of(entry) == keys_of(example("profiles", "list")["profiles"][0])


def test_a_stored_profile_that_cannot_be_read_does_not_hide_the_others(
    invoke: Invoke, db_path: Path, file: Path
) -> None:
    invoke("profiles", "import", file)
    db = open_database(db_path)
    with db.atomic():
        profiles.save(db, "broken", '{"name": "broken", "from": "the future"}')
    db.close()
    broken, mine = document(invoke("profiles", "list", "--json"))["profiles"]
    assert "workload" in broken["unusable"]
    assert mine["unusable"] is None
    assert invoke("profiles", "show", "broken").exit_code == 0


def test_show_tells_settings_by_librdkafkas_names(invoke: Invoke) -> None:
    result = invoke("profiles", "show", "critical")
    assert "enable.idempotence" in result.stdout
    assert "transaction.timeout.ms" not in result.stdout
    told = document(invoke("profiles", "show", "critical", "--json"))
    assert told["source"] == "shipped"
    assert Profile.from_mapping(told["profile"]) == shipped_profiles()[0]


def test_a_profile_that_is_not_there_is_an_error_that_tells_those_there_are(
    invoke: Invoke,
) -> None:
    for command in ("show", "export"):
        result = invoke("profiles", command, "none")
        assert result.exit_code == 1
        assert "analytics, canary, critical, metrics, production, transactional" in result.stderr


def test_validate_passes_what_can_be_run_and_makes_no_database(
    invoke: Invoke, file: Path, db_path: Path
) -> None:
    result = invoke("profiles", "validate", file, "--json")
    assert result.exit_code == 0
    told = document(result)
    assert {key: told[key] for key in ("file", "valid", "profile", "problems")} == {
        "file": str(file),
        "valid": True,
        "profile": "mine",
        "problems": [],
    }
    assert (told["format"], told["accepted"], told["settings"]) == ("profile", True, [])
    assert not db_path.exists()


@pytest.mark.parametrize(
    ("changes", "field", "mend"),
    [
        ({"producer": {"lingerms": 3}}, "producer.lingerms", "Write `linger_ms`."),
        ({"producer": {"acks": 1, "idempotence": True}}, "producer.acks", '"all"'),
        ({"producer": {"extra": {"no.such.property": 1}}}, "producer.extra", ""),
        ({"workload": {"topic": "no spaces"}}, "workload.topic", ""),
    ],
)
def test_validate_tells_the_field_and_the_mend_of_each_fault(
    invoke: Invoke, tmp_path: Path, changes: dict[str, Any], field: str, mend: str
) -> None:
    path = tmp_path / "faulty.json"
    path.write_text(body(**changes))
    result = invoke("profiles", "validate", path, "--json")
    assert result.exit_code == 1
    told = document(result)
    assert told["valid"] is False
    assert any(
        problem["field"].startswith(field)
        and mend in problem["mend"]
        and problem["mend"]
        and problem["profile"] == "mine"
        for problem in told["problems"]
    ), told["problems"]
    assert keys_of(told["problems"][0]) == keys_of(example("profiles", "validate")["problems"][0])
    text = invoke("profiles", "validate", path)
    assert text.exit_code == 1
    assert f"profile mine, {field}" in text.stdout


def test_validate_has_librdkafkas_own_word(
    invoke: Invoke, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where our rules find nothing, what librdkafka says against it is the problem."""
    monkeypatch.setattr("producer_agent.cli.profile_files.check", lambda _profile: [])
    file.write_text(body(producer={"acks": 1, "idempotence": True}))
    result = invoke("profiles", "validate", file)
    assert result.exit_code == 1
    assert "librdkafka refuses" in result.stdout


def test_validate_reads_standard_input(invoke: Invoke) -> None:
    assert invoke("profiles", "validate", "-", input=body()).exit_code == 0
    assert invoke("profiles", "validate", "-", input="{").exit_code == 1


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b"x" * 1_000_001])
def test_a_file_that_is_no_profile_is_an_error_that_names_it(
    invoke: Invoke, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "other.json"
    if content is not None:
        path.write_bytes(content)
    result = invoke("profiles", "validate", path)
    assert result.exit_code == 1
    assert str(path) in result.stderr


def test_an_imported_profile_is_stored_and_in_the_audit_log(
    invoke: Invoke, file: Path, db_path: Path
) -> None:
    result = invoke("profiles", "import", file, "--json")
    assert document(result) == {"profile": "mine", "change": "added"}
    (row,) = Reader(db_path)(profiles.all_profiles)
    assert Profile.from_json(row.body) == Profile.from_json(body())
    (command,) = Reader(db_path)(commands.latest)
    assert (command.kind, command.state) == ("profile.save", "done")


def test_an_import_takes_no_other_profiles_place_unless_told_to(
    invoke: Invoke, file: Path, db_path: Path
) -> None:
    invoke("profiles", "import", file)
    assert "unchanged" in invoke("profiles", "import", file).stdout
    file.write_text(body(description="another"))
    refused = invoke("profiles", "import", file)
    assert refused.exit_code == 1
    assert "--replace" in refused.stderr
    (row,) = Reader(db_path)(profiles.all_profiles)
    assert Profile.from_json(row.body).description == ""
    assert "replaced" in invoke("profiles", "import", file, "--replace").stdout
    (row,) = Reader(db_path)(profiles.all_profiles)
    assert Profile.from_json(row.body).description == "another"


def test_a_profile_that_cannot_be_run_is_not_imported(
    invoke: Invoke, file: Path, db_path: Path
) -> None:
    file.write_text(body(producer={"acks": 1, "idempotence": True}))
    result = invoke("profiles", "import", file)
    assert result.exit_code == 1
    assert "producer.acks" in result.stderr
    assert not db_path.exists()


def test_what_is_exported_can_be_imported(invoke: Invoke, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert invoke("profiles", "export", "critical", "-o", out).exit_code == 0
    assert out.read_text() == invoke("profiles", "export", "critical").stdout
    assert Profile.from_json(out.read_text()) == shipped_profiles()[0]
    assert invoke("profiles", "import", out).exit_code == 0


def test_an_export_to_where_nothing_can_be_written_is_an_error(
    invoke: Invoke, tmp_path: Path
) -> None:
    result = invoke("profiles", "export", "critical", "-o", tmp_path / "no" / "folder.json")
    assert result.exit_code == 1
    assert "folder.json" in result.stderr
