"""The book, written as plainly as possible: lists and full scans. The oracle for `engine/book.py`, and the bench's unit."""

from offchain_book.engine.order import BID, BookSide


class NaiveBook:
    """Price-time priority over one dict of lists per side; cancels scan."""

    def __init__(self) -> None:
        self.levels: dict[BookSide, dict[int, list[list[int]]]] = {BookSide.BID: {}, BookSide.ASK: {}}

    def submit(self, order_id: int, side: BookSide, price_e4: int, size: int) -> list[tuple[int, int, int]]:
        """Match, then rest what is left. Returns (maker, price, size) per fill."""
        fills: list[tuple[int, int, int]] = []
        other = self.levels[side.opposite]
        while size and other:
            best = min(other) if side is BID else max(other)
            if (best > price_e4) if side is BID else (best < price_e4):
                break
            queue = other[best]
            maker = queue[0]
            traded = min(size, maker[1])
            fills.append((maker[0], best, traded))
            size -= traded
            maker[1] -= traded
            if not maker[1]:
                queue.pop(0)
                if not queue:
                    del other[best]
        if size:
            self.levels[side].setdefault(price_e4, []).append([order_id, size])
        return fills

    def cancel(self, order_id: int) -> bool:
        """Take an order out, if it rests."""
        for side in self.levels.values():
            for price, queue in side.items():
                for entry in queue:
                    if entry[0] == order_id:
                        queue.remove(entry)
                        if not queue:
                            del side[price]
                        return True
        return False

    def depth(self, side: BookSide) -> list[tuple[int, int]]:
        """Return (price, size), best first."""
        prices = sorted(self.levels[side], reverse=side is BID)
        return [(price, sum(entry[1] for entry in self.levels[side][price])) for price in prices]
