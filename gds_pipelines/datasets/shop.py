"""A small made-up shop: users, items in categories, and what users do with items over time.

How it is made. Every user has a taste: a share of interest for each category and a direction of style. Both
drift from a first to a second state over the whole time. Events come in sessions: a session has one category,
drawn from the taste of that moment; the items looked at are drawn by popularity and by how well their style
fits; what fits well is marked as a favourite and bought more often, and hardly anything is bought twice. So
there is something to find for a model that compares users, more than in popularity alone. Same arguments on
the same machine, same shop.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput

START = 1_767_225_600_000
"""The first moment: 2026-01-01T00:00:00Z, in epoch milliseconds."""
_DAY = 86_400_000
_STYLES = 6
_SESSION_EVENTS = 8

_KINDS = {
    "Kitchen": (
        "Kettle",
        "Frying Pan",
        "Bread Knife",
        "Mixing Bowl",
        "Teapot",
        "Cutting Board",
        "Coffee Grinder",
    ),
    "Lighting": (
        "Desk Lamp",
        "Floor Lamp",
        "Lantern",
        "Pendant Light",
        "Reading Light",
        "String Lights",
        "Wall Lamp",
    ),
    "Garden": ("Watering Can", "Planter", "Garden Fork", "Bird Feeder", "Hammock", "Rain Gauge", "Trellis"),
    "Books": ("Atlas", "Cookbook", "Field Guide", "Novel", "Picture Book", "Poetry Reader", "Travel Guide"),
    "Toys": ("Wooden Train", "Kite", "Puzzle", "Building Blocks", "Puppet", "Marble Run", "Spinning Top"),
    "Sports": (
        "Yoga Mat",
        "Jump Rope",
        "Tennis Racket",
        "Climbing Rope",
        "Football",
        "Dumbbell",
        "Swim Goggles",
    ),
    "Music": (
        "Ukulele",
        "Record Player",
        "Headphones",
        "Tambourine",
        "Metronome",
        "Music Stand",
        "Harmonica",
    ),
    "Office": ("Notebook", "Fountain Pen", "Desk Tray", "Wall Calendar", "Stapler", "Pencil Case", "Bookend"),
    "Travel": ("Rucksack", "Suitcase", "Travel Mug", "Sleeping Bag", "Tent", "Compass", "Camp Stove"),
    "Clothing": ("Scarf", "Raincoat", "Jumper", "Cap", "Gloves", "Work Shirt", "Belt"),
    "Home": ("Wall Clock", "Blanket", "Cushion", "Vase", "Mirror", "Rug", "Picture Frame"),
    "Tools": ("Hammer", "Hand Saw", "Screwdriver Set", "Spirit Level", "Toolbox", "Wood Plane", "Clamp"),
}
_LOOKS = (
    ("Oak", "Walnut", "Linen", "Woven"),
    ("Steel", "Chrome", "Matte", "Carbon"),
    ("Vintage", "Brass", "Leather", "Velvet"),
    ("Bright", "Striped", "Dotted", "Neon"),
    ("Plain", "White", "Folding", "Slim"),
    ("Recycled", "Bamboo", "Cork", "Clay"),
)
_BRANDS = (
    ("Aldergrove", "Fernby", "Holm & Hazel"),
    ("Ferrum", "Nordlicht", "Vektor"),
    ("Old Harbour", "Pemberton", "Quill & Co"),
    ("Confetti", "Papaya", "Zigzag"),
    ("Blank", "Minim", "Nendo Works"),
    ("Evergood", "Looply", "Terra Nova"),
)


@dataclass(frozen=True)
class ShopSize:
    """How large the shop is; each at least 1, and at least one item for every category."""

    users: int = 600
    items: int = 400
    categories: int = 12
    events: int = 40_000
    days: int = 120

    def check(self) -> None:
        """Raises InvalidInput with every number that is out of range."""
        faults = [
            f"{name} is {value}, at least 1 is needed" for name, value in vars(self).items() if value < 1
        ]
        if self.items < self.categories:
            faults.append(f"{self.items} items are too few for {self.categories} categories")
        if faults:
            raise InvalidInput("A shop of this size cannot be made", faults)


def generate(size: ShopSize | None = None, *, seed: int = 7) -> dict[str, pa.Table]:
    """The tables `users` (id, age), `items` (id, title, brand, price, category) and `events` (user, item,
    kind, at).

    Ids count from 1. `kind` is view, favourite or buy; `at` is epoch milliseconds UTC, ascending; no two
    events of one user are at the same time. About one user in ten gives no age.

    Raises:
        InvalidInput: a size is out of range.
    """
    size = size or ShopSize()
    size.check()
    rng = np.random.default_rng(seed)
    category = np.sort(
        np.concatenate(
            [np.arange(size.categories), rng.integers(size.categories, size=size.items - size.categories)]
        )
    )
    style = rng.integers(_STYLES, size=size.items)
    items = _items(rng, size, category, style)
    appeal = np.exp(rng.normal(0, 0.7, size.items))
    ages = rng.integers(16, 80, size.users)
    users = pa.table(
        {
            "id": pa.array(np.arange(1, size.users + 1)),
            "age": pa.array(ages, pa.int64(), mask=rng.random(size.users) < 0.1),
        }
    )
    events = _events(rng, size, category, style, appeal)
    return {"users": users, "items": items, "events": events}


def _items(rng: np.random.Generator, size: ShopSize, category: NDArray, style: NDArray) -> pa.Table:
    names = category_names(size.categories)
    level = np.exp(rng.normal(3.2, 0.5, size.categories))  # What things of the category cost, in the middle.
    prices = np.round(np.maximum(level[category] * np.exp(rng.normal(0, 0.45, size.items)), 0.5), 2)
    titles, brands, seen = [], [], {}
    for at in range(size.items):
        kinds = _KINDS[list(_KINDS)[category[at] % len(_KINDS)]]
        look = _LOOKS[style[at]][rng.integers(len(_LOOKS[style[at]]))]
        title = f"{look} {kinds[rng.integers(len(kinds))]}"
        seen[title] = seen.get(title, 0) + 1
        titles.append(title if seen[title] == 1 else f"{title} No. {seen[title]}")
        brands.append(_BRANDS[style[at]][rng.integers(len(_BRANDS[style[at]]))])
    return pa.table(
        {
            "id": pa.array(np.arange(1, size.items + 1)),
            "title": titles,
            "brand": brands,
            "price": pa.array(prices),
            "category": [names[one] for one in category],
        }
    )


def category_names(count: int) -> list[str]:
    """The first `count` names; after the last comes `Kitchen 2` and so on."""
    known = list(_KINDS)
    return [
        known[at % len(known)] + (f" {at // len(known) + 1}" if at >= len(known) else "")
        for at in range(count)
    ]


def _events(
    rng: np.random.Generator, size: ShopSize, category: NDArray, style: NDArray, appeal: NDArray
) -> pa.Table:
    # Interest in categories: a few large ones per user; half of it moves on to others over the time.
    first = rng.dirichlet(np.full(size.categories, 0.25), size.users)
    second = 0.5 * first + 0.5 * rng.dirichlet(np.full(size.categories, 0.25), size.users)
    liking = rng.normal(0, 1.6, (size.users, _STYLES))
    later = 0.8 * liking + 0.6 * rng.normal(0, 1.6, (size.users, _STYLES))
    activity = rng.lognormal(0, 0.7, size.users)
    counts = rng.multinomial(size.events, activity / activity.sum())
    of_category = [np.flatnonzero(category == one) for one in range(size.categories)]
    users: list[int] = []
    items: list[int] = []
    kinds: list[str] = []
    times: list[int] = []
    for user in range(size.users):
        bought: set[int] = set()
        last = -1
        sessions = -(-int(counts[user]) // _SESSION_EVENTS)
        moments = np.sort(rng.random(sessions)).tolist()
        lengths = rng.multinomial(counts[user], np.full(sessions, 1 / sessions)) if sessions else []
        for moment, left in zip(moments, lengths, strict=True):
            interest = np.maximum((1 - moment) * first[user] + moment * second[user], 1e-9)
            chosen = of_category[int(rng.choice(size.categories, p=interest / interest.sum()))]
            fit = ((1 - moment) * liking[user] + moment * later[user])[style[chosen]]
            weight = appeal[chosen] * np.exp(fit - fit.max())
            places = rng.choice(len(chosen), size=left, p=weight / weight.sum())
            keen = 1 / (1 + np.exp(1.0 - fit[places]))
            draws = rng.random((left, 2))
            pauses = rng.integers(5_000, 180_000, (left, 3))
            at = int(moment * size.days * _DAY)
            for step in range(left):
                item = int(chosen[places[step]])
                done = ["view"]
                if draws[step, 0] < 0.35 * keen[step]:
                    done.append("favourite")
                if draws[step, 1] < 0.25 * keen[step] and item not in bought:
                    done.append("buy")
                for kind, pause in zip(done[:left], pauses[step].tolist(), strict=False):
                    at = last = max(at + pause, last + 1)
                    left -= 1
                    users.append(user + 1)
                    items.append(item + 1)
                    kinds.append(kind)
                    times.append(START + at)
                    if kind == "buy":
                        bought.add(item)
                if left == 0:
                    break
    order = np.lexsort((np.array(users), np.array(times)))
    table = pa.table({"user": users, "item": items, "kind": kinds, "at": times})
    return table.take(pa.array(order))
