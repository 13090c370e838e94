"""The words of the shop, and what is said with them."""

from random import Random


def invented_words(count: int, syllables_max: int) -> list[str]:
    """A fixed vocabulary: the seed decides what is said, not in which language."""
    rng = Random(f"vocabulary {count}")
    syllables = [onset + vowel for onset in "b br c ch d f fl g gr h j k l m n p pr r s st t tr v w".split()
                 for vowel in "a ai e ea ee i o oo ou u".split()]
    return ["".join(rng.choices(syllables, k=rng.randint(1, syllables_max))) + rng.choice(["", *"nrstlmk", "nd"])
            for _ in range(count)]


WORDS = invented_words(20_000, syllables_max=3)
SURNAMES = [word.capitalize() for word in invented_words(800, syllables_max=4)]
TOWNS = [word.capitalize() for word in invented_words(300, syllables_max=3)]
FIRST_NAMES = ("Ada Amir Anna Bela Carl Chloe Dara Elif Emma Finn Greta Hana Hugo Ines Ivan Jana Jonas Kaja Lars Lena "
               "Luca Maja Mila Nils Nora Olga Omar Paul Pia Remy Rosa Sami Sven Tara Theo Uma Vera Yara Zoe").split()
STREETS = "Street Lane Road Square Avenue Way Hill Quay Court Row".split()
COLOURS = "Black White Red Green Blue Grey Yellow Brown Amber Violet".split()
THINGS = "lamp chair desk kettle mug blanket shelf clock rug vase tray stool bench mirror basket".split()
METHODS = ("card", "card", "card", "transfer", "wallet", "invoice")
CHANNELS = ("web", "web", "app", "phone")
LEVELS = ("INFO",) * 30 + ("WARN",)
PAGES = ("cart", "checkout", "search", "stock", "product", "account/orders", "login", "newsletter")


def text(rng: Random, words: int) -> str:
    """What somebody wrote."""
    return " ".join(rng.choices(WORDS, k=words))


def token(rng: Random) -> str:
    """A random reference in the shape of a UUID."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
