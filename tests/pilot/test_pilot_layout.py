"""How the Glance shares its height."""


async def test_findings_give_back_the_lines_they_no_longer_need(console, fakes):
    async with console(fakes.trouble()) as c:
        await c.post(fakes.snapshot(findings=(fakes.SMALL_BACKUP,), changes=fakes.CHANGES))
        at = next(i for i, text in enumerate(c.lines) if text.startswith(">P2"))
        assert c.lines[at + 1] == " what changed"


async def test_many_findings_leave_room_for_changes_and_vitals(console, fakes):
    from dataclasses import replace

    many = [replace(fakes.SLOW, subject=f"/api/{n}", summary=f"slow {n}") for n in range(40)]
    async with console(fakes.snapshot(findings=many, changes=fakes.CHANGES)) as c:
        assert " vitals" in c.lines and "host prod-1 rebooted" in c.text
        assert "of 80" in c.lines[2]
        await c.press("G")
        assert c.cursor.startswith(">P1 slow")
        assert "80 of 80" in c.lines[2]
