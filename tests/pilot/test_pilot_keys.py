"""What the keys do, on a console whose Snapshots the test posts."""

import threading
from dataclasses import replace

import pytest
from textual import events

from screens import keymap
from screens.keymap import Where


async def test_enter_on_a_finding_goes_to_its_replica_and_esc_returns(console, fakes):
    async with console(fakes.trouble()) as c:
        assert "backend-9 restarted" in c.cursor
        await c.press("enter")
        assert "/ Fleet / " in c.lines[0]
        assert "backend-9" in c.lines[0]
        await c.press("escape")
        assert "/ Glance" in c.lines[0]
        assert "backend-9 restarted" in c.cursor


async def test_enter_on_another_finding_opens_its_evidence_and_esc_returns(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("j", "enter")
        assert "histogram_quantile" in c.text
        await c.press("escape")
        assert "p95 2.31 s" in c.cursor


async def test_selection_stays_on_the_same_finding_when_others_come(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("j")
        assert "p95 2.31 s" in c.cursor
        await c.post(
            fakes.snapshot(
                fakes.fleet(sick=True),
                (fakes.DOWN, fakes.SLOW, fakes.RESTARTING, fakes.SMALL_BACKUP),
            )
        )
        assert "p95 2.31 s" in c.cursor
        assert c.lines[1].startswith(" CRITICAL")


async def test_selection_stays_on_the_same_replica_when_others_go(console, fakes):
    async with console(fakes.many(300)) as c:
        await c.press("2", "slash", *"worker12-3", "enter")
        await c.press("j")
        chosen = c.cursor.split()[0]
        assert "worker12-3" in c.cursor
        left = fakes.many(300)
        services = tuple(s for s in left.fleet.services if s.name != "worker11")
        await c.post(replace(left, fleet=replace(left.fleet, services=services)))
        assert c.cursor.split()[0] == chosen
        await c.press("escape")
        assert c.cursor.split()[0] == chosen


async def test_esc_clears_the_filter_then_closes_the_pane(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("2", "slash", *"backend", "enter", "j", "enter")
        assert "/ Fleet / " in c.lines[0] and 'filter "backend"' in c.text
        await c.press("escape")
        assert 'filter "backend"' not in c.text and "/ Fleet / " in c.lines[0]
        await c.press("escape")
        assert c.lines[0].split("  ")[0].endswith("/ Fleet")
        assert "backend-7" in c.cursor


async def test_filter_narrows_as_it_is_typed(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("2", "slash", *"ngi")
        assert "nginx" in c.text and "postgres" not in c.text
        await c.press("escape")
        assert "postgres" in c.text


async def test_filter_may_hold_the_letters_of_keys(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("2", "slash", *"q1O[?:")
        assert "q1O[?:" in c.text
        assert "/ Fleet" in c.lines[0]


async def test_faults_only(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("2", "F")
        assert "faults only" in c.lines[2]
        assert "backend-9" in c.text and "backend-8" not in c.text and "redis" not in c.text
        await c.press("F")
        assert "redis" in c.text


async def test_faults_only_without_faults_says_so(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("2", "F")
        assert "no service or replica is in trouble" in c.text


async def test_fold_and_unfold(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("2", "left")
        assert "+backend" in c.text and "backend-7" not in c.text
        await c.press("enter")
        assert "-backend" in c.text and "backend-7" in c.text


async def test_sort_goes_round(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("2", "s")
        assert "by name" in c.lines[2]
        await c.press("s", "s", "s", "s")
        assert "by " not in c.lines[2]


@pytest.mark.parametrize("way", [(), ("question_mark",), ("2", "l"), ("2", "enter")])
async def test_digits_change_screens_from_everywhere(console, fakes, way):
    async with console(fakes.trouble()) as c:
        await c.press(*way)
        await c.press("2")
        assert c.app.current_mode == "fleet" and "/ Fleet" in c.lines[0]
        await c.press("1")
        assert "/ Glance" in c.lines[0] and "help" not in c.lines[0]


async def test_digits_of_screens_that_do_not_exist_do_nothing(console, fakes):
    async with console(fakes.trouble()) as c:
        before = c.text
        await c.press("3", "4", "5", "6", "r", "U", "x", "V")
        assert c.text == before


async def test_minus_goes_to_the_last_screen(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("2", "minus")
        assert "/ Glance" in c.lines[0]
        await c.press("minus")
        assert "/ Fleet" in c.lines[0]


async def test_palette_jumps_to_a_replica(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("colon", *"ngx2", "enter")
        assert "/ Fleet" in c.lines[0]
        assert "nginx-2" in c.cursor


async def test_palette_jumps_to_a_finding(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("2", "ctrl+p", *"smaller", "enter")
        assert "/ Glance" in c.lines[0]
        assert "backup of 12:00" in c.text


async def test_palette_quits(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("colon", "q", "enter")
        await c.until(lambda: not c.app.is_running)
        assert c.app.return_value == 0


async def test_palette_changes_the_theme(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("colon", *"theme light", "enter")
        assert c.app.painter.look.name == "light"


async def test_palette_says_what_it_does_not_find(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("colon", *"zzzz", "enter")
        assert "there is no zzzz" in c.lines[-1]


async def test_help_lists_every_key_of_the_keymap(console, fakes):
    async with console(fakes.snapshot(), size=(100, 200)) as c:
        await c.press("question_mark")
        for key in keymap.KEYS:
            if key.where != (Where.PALETTE,):
                assert f"  {key.shown} " in c.text, key
                assert key.help in c.text, key


async def test_footer_names_only_keys_that_work(console, fakes):
    for where in Where:
        if where is not Where.EVERYWHERE:
            working = {key.shown for key in keymap.keys_of(where)}
            named = keymap.footer(where, 200)
            assert len(named) <= 200
            assert all(key.shown in working for key in keymap.KEYS if f" {key.shown} " in named)


async def test_no_key_changes_production(console, fakes):
    shown = {key.shown for where in Where for key in keymap.keys_of(where)}
    assert not shown & {"r", "U", "x"}
    assert not [key for key in keymap.KEYS if key.dangerous]


async def test_paste_outside_a_field_does_nothing(console, fakes):
    async with console(fakes.trouble()) as c:
        before = c.text
        c.app.post_message(events.Paste("2q\r:q\r"))
        await c.pilot.pause()
        assert c.text == before and c.app.is_running


async def test_paste_into_the_filter(console, fakes):
    async with console(fakes.snapshot()) as c:
        await c.press("2", "slash")
        c.app.post_message(events.Paste("redis"))
        await c.until(lambda: "postgres" not in c.text)


async def test_torn_arrow_does_nothing_but_esc(console, fakes):
    async with console(fakes.trouble()) as c:
        before = c.text
        await c.press("escape", "left_square_bracket", "1", "2", "A")
        assert c.text == before
        await c.press("2")
        assert "/ Fleet" in c.lines[0]


async def test_logs_pause_search_and_follow_again(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("2", "l")
        await c.until(lambda: bool(c.watch.tails))
        tail = c.watch.tails[0]
        assert len(tail.replicas) == 3 and not tail.previous
        tail.bring(*(f"line {n}" for n in range(100)))
        await c.until(lambda: "line 99" in c.text)
        await c.press("P")
        tail.bring("after the pause")
        await c.until(lambda: "1 new" in c.text)
        assert "after the pause" not in c.text
        await c.press("P")
        await c.until(lambda: "after the pause" in c.text)
        await c.press("slash", *"line 5", "enter")
        assert "11" in c.lines[2]
        assert "line 59" in c.text
        await c.press("n")
        assert "1 of 11" in c.lines[2] and "line 5" in c.text
        await c.press("escape", "G")
        assert "follows" in c.lines[2]


async def test_logs_of_a_replica_that_starts_again_are_followed_again(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("2", "l")
        await c.until(lambda: len(c.watch.tails) == 1)
        again = fakes.fleet(sick=True)
        backend = again.services[0]
        newer = replace(backend.replicas[2], started_at=fakes.NOW + 1)
        changed = replace(backend, replicas=(*backend.replicas[:2], newer))
        await c.post(fakes.snapshot(replace(again, services=(changed, *again.services[1:]))))
        await c.until(lambda: len(c.watch.tails) == 2)
        assert [r.name for r in c.watch.tails[1].replicas] == ["shop-backend-9"]


async def test_logs_before_the_crash(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("L")
        await c.until(lambda: bool(c.watch.tails))
        assert c.watch.tails[0].previous
        assert "before the crash" in c.lines[0]
        await c.press("q")
        assert "/ Glance" in c.lines[0]
        await c.until(c.watch.tails[0].closed.is_set)


async def test_write_puts_the_whole_log_into_a_file(console, fakes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with console(fakes.trouble()) as c:
        await c.press("2", "l")
        await c.until(lambda: bool(c.watch.tails))
        c.watch.tails[0].bring(*(f"line {n}" for n in range(100)))
        await c.until(lambda: "line 99" in c.text)
        await c.press("w")
        await c.until(lambda: "written to" in c.lines[-1])
    (path,) = tmp_path.glob("cofa-logs-*.txt")
    assert len(path.read_text().splitlines()) == 100
    assert path.stat().st_mode & 0o777 == 0o600


async def test_write_says_why_it_could_not(console, fakes, monkeypatch):
    monkeypatch.setattr("pathlib.Path.cwd", lambda: __import__("pathlib").Path("/nonexistent"))
    async with console(fakes.trouble()) as c:
        await c.press("w")
        await c.until(lambda: "could not write" in c.lines[-1])


async def test_copy_takes_the_whole_value(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.press("c")
        assert "exit code 137" in c.app.clipboard
        assert c.lines[-1].startswith(" copied")
        await c.press("j")
        assert "q quit" in c.lines[-1]


async def test_q_quits_although_a_log_hangs(console, fakes):
    async with console(fakes.trouble()) as c:
        c.watch.hangs = threading.Event()
        await c.press("2", "l")
        await c.until(lambda: bool(c.watch.tails))
        await c.press("q", "q")
        await c.until(lambda: not c.app.is_running)
        assert not c.watch.tails[0].closed.is_set()
        c.watch.hangs.set()


async def test_usage_is_read_only_for_what_is_seen(console, fakes):
    async with console(fakes.many(300)) as c:
        await c.press("2")
        first = c.watch.looked_at
        assert first and len(first) < 60
        await c.press("1")
        assert c.watch.looked_at == ()


async def test_small_terminal_keeps_the_verdict_and_comes_back(console, fakes):
    async with console(fakes.trouble()) as c:
        before = c.text
        await c.pilot.resize_terminal(40, 10)
        await c.until(lambda: "cofa needs 60x20, this is 40x10. q quit" in c.text)
        assert c.lines[0].startswith(" DEGRADED")
        await c.pilot.resize_terminal(80, 24)
        await c.until(lambda: c.text == before)


async def test_nothing_is_repainted_when_nothing_changed(console, fakes):
    async with console(fakes.trouble()) as c:
        painted: list[object] = []
        display = c.app._display

        def count(screen: object, renderable: object) -> None:
            painted.append(renderable)
            display(screen, renderable)

        c.app._display = count
        await c.post(fakes.trouble(), later=0.0)
        assert [r for r in painted if r is not None] == []


async def test_markup_in_names_is_text(console, fakes):
    async with console(fakes.hostile()) as c:
        assert fakes.HOSTILE[:20] in c.text
        await c.press("enter")
        assert "/ Fleet" in c.lines[0]
        await c.press("c", "l")
        await c.until(lambda: bool(c.watch.tails))
        c.watch.tails[0].bring("[/nope] [link=x]y", message="[/] ended")
        await c.until(lambda: "[/nope] [link=x]y" in c.text and "[/] ended" in c.text)
        await c.press("q", "colon", *"nope", "slash")
        assert c.app.is_running


async def test_read_only_and_rehearsal_stand_on_line_one(console, fakes):
    async with console(fakes.trouble(), read_only=True) as c:
        assert "READ-ONLY" in c.lines[0]
    async with console(fakes.snapshot(rehearsal=True)) as c:
        for key in ("1", "2", "question_mark"):
            await c.press(key)
            assert "REHEARSAL" in c.lines[0]


async def test_the_last_line_says_how_to_leave_what_is_open(console, fakes):
    async with console(fakes.trouble(), size=(80, 24)) as c:
        assert "Enter open" in c.lines[-1] and "Esc back" not in c.lines[-1]
        await c.press("2", "down", "enter")
        assert "Esc back" in c.lines[-1] and "Enter open" not in c.lines[-1]
        await c.press("escape")
        assert "Esc back" not in c.lines[-1]
