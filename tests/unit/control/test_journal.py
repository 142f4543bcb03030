"""The log on disk: each id once, whatever is written beside it."""

import json
import threading

import pytest

from hetopt.control import journal as module
from hetopt.control.journal import Journal, in_pieces


def entries(first, last):
    return [(f"id {i}", json.dumps({"n": i})) for i in range(first, last)]


def numbers(journal):
    return [row["n"] for row in journal.load()[1]]


def test_an_id_counts_once_within_a_request_and_between_them(tmp_path):
    journal = Journal(tmp_path / "a.db", "x")
    assert journal.append([*entries(0, 3), ("id 1", "{}"), (None, '{"n": 3}')]) == [
        *(True, True, True),
        *(False, True),
    ]
    assert journal.append(entries(0, 1200)) == [i >= 3 for i in range(1200)]
    journal.close()
    again = Journal(tmp_path / "a.db", "x")
    assert again.append(entries(1199, 1201)) == [False, True]
    assert numbers(again) == [0, 1, 2, 3, *range(3, 1201)]


def test_entries_before_a_snapshot_go_little_by_little_and_their_ids_stay(tmp_path):
    journal = Journal(tmp_path / "a.db", "x")
    journal.append(entries(0, 100))
    journal.snapshot(80, {"up to": 80})
    left = "SELECT COUNT(*) FROM entries"
    for k, there in enumerate((100, 90, 80, 70)):
        assert journal._db.execute(left).fetchone()[0] == there
        # Whatever is still there, what is applied is what came since.
        assert numbers(journal) == list(range(80, 100 + 10 * k))
        journal.append(entries(100 + 10 * k, 110 + 10 * k))
    journal.close()
    again = Journal(tmp_path / "a.db", "x")
    assert again.load()[0] == {"up to": 80}
    assert again.seq == 140
    for k in range(10):
        again.append(entries(140 + 10 * k, 150 + 10 * k))
    assert again._db.execute(left).fetchone()[0] == again.seq - 80
    assert not any(again.append(entries(0, 240)))


def test_ids_beyond_those_that_are_kept_are_let_go(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT_IDS", 50)
    journal = Journal(tmp_path / "a.db", "x")
    journal.append(entries(0, 60))
    journal.append(entries(60, 70))
    assert journal._db.execute("SELECT COUNT(*) FROM ids").fetchone()[0] == 50
    assert journal.append(entries(0, 70)) == [i < 20 for i in range(70)]


def test_entries_are_written_while_a_snapshot_is_and_the_log_is_moved(tmp_path):
    journal = Journal(tmp_path / "a.db", "x")
    journal.append(entries(0, 500))
    state = {"rows": [[i, "x" * 50] for i in range(20_000)]}
    beside = [
        threading.Thread(target=journal.snapshot, args=(500, state)),
        threading.Thread(target=journal.move),
    ]
    for thread in beside:
        thread.start()
    for k in range(20):
        assert all(journal.append(entries(500 + 10 * k, 510 + 10 * k)))
    for thread in beside:
        thread.join()
    journal.close()
    again = Journal(tmp_path / "a.db", "x")
    assert again.load()[0] == state
    assert numbers(again) == list(range(500, 700))


@pytest.mark.parametrize(
    "value", [{}, [], {"a": {"b": [{"c": [1.5, None, "ü\n"]}] * 301, "d": "x"}}, [0] * 250]
)
def test_pieces_make_the_same_text(value):
    assert json.loads(in_pieces(value)) == value
