"""The least a Textual console can be: one table. What cofa's first paint is measured against."""

from textual.app import App, ComposeResult
from textual.widgets import DataTable


class Bare(App[None]):
    """One table with three rows."""

    def compose(self) -> ComposeResult:
        yield DataTable()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns("service", "state", "image")
        for number in range(3):
            table.add_row(f"backend-{number}", "BARE-READY", "v1")


if __name__ == "__main__":
    Bare().run(mouse=False)
