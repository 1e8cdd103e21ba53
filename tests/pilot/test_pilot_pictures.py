"""The main screens as text, at 80x24 and 120x40."""

import pytest

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "state", ["snapshot", "trouble", "outage", "blinded", "reading_first", "hostile"]
)
async def test_glance(console, golden, fakes, state, size):
    async with console(getattr(fakes, state)(), size=SIZES[size]) as c:
        golden(f"glance-{state.replace('_', '-')}-{size}", c.text)


@pytest.mark.parametrize("size", SIZES)
async def test_finding(console, golden, fakes, size):
    async with console(fakes.trouble(), size=SIZES[size]) as c:
        await c.press("j", "enter")
        golden(f"finding-{size}", c.text)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("state", ["snapshot", "trouble", "hostile", "reading_first"])
async def test_fleet(console, golden, fakes, state, size):
    async with console(getattr(fakes, state)(), size=SIZES[size]) as c:
        await c.press("2")
        golden(f"fleet-{state.replace('_', '-')}-{size}", c.text)


@pytest.mark.parametrize("size", SIZES)
async def test_fleet_detail(console, golden, fakes, size):
    async with console(fakes.trouble(), size=SIZES[size]) as c:
        await c.press("enter")
        assert "Fleet" in c.lines[0]
        golden(f"fleet-detail-{size}", c.text)


@pytest.mark.parametrize("size", SIZES)
async def test_logs(console, golden, fakes, size):
    async with console(fakes.trouble(), size=SIZES[size]) as c:
        await c.press("2", "l")
        await c.until(lambda: len(c.watch.tails) == 1)
        tail = c.watch.tails[0]
        tail.bring("GET /api/trips 200 2.31 s", "connection pool exhausted " * 6)
        tail.bring("GET /health 200", replica="shop-backend-8", at=fakes.NOW + 5)
        tail.bring(message="shop-backend-9: its log ended")
        await c.until(lambda: "its log ended" in c.text)
        golden(f"logs-{size}", c.text)


@pytest.mark.parametrize("size", SIZES)
async def test_help(console, golden, fakes, size):
    async with console(fakes.snapshot(), size=SIZES[size]) as c:
        await c.press("question_mark")
        golden(f"help-{size}", c.text)


@pytest.mark.parametrize("size", SIZES)
async def test_palette(console, golden, fakes, size):
    async with console(fakes.trouble(), size=SIZES[size]) as c:
        await c.press("colon", *"back")
        golden(f"palette-{size}", c.text)


async def test_ascii(console, golden, fakes):
    async with console(fakes.hostile(), ascii=True, blocks=False) as c:
        assert c.text.isascii()
        golden("glance-hostile-ascii", c.text)
        await c.press("2", "G")
        assert c.text.isascii()
