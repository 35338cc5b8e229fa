"""The data sets there are. Sums are of the unpacked files; sizes of downloads are in bytes."""

from typing import Any

from gds_pipelines.datasets.dataset import DataFile, Dataset, Download
from gds_pipelines.datasets.shop import generate
from gds_pipelines.errors import UnknownName

_GROUPLENS = "GroupLens lets everyone use it for research, not for profit, and not pass it on."


def _movies(**more: Any) -> dict[str, Any]:
    """What all MovieLens sets recommend: movies, by the ratings of 4 and more; those who predict read all."""
    return {
        "recommend": "Movie",
        "to": "User",
        "key": {"User": "id", "Movie": "id"},
        "via": {"LIKED": 1.0},
        "timeProperty": "at",
        "alsoLabels": ["Genre"],
        "alsoTypes": ["IN_GENRE"],
        "ratings": {"LIKED": "rating", "RATED_LOW": "rating"},
        **more,
    }


DATASETS: dict[str, Dataset] = {
    one.name: one
    for one in (
        Dataset(
            name="shop",
            title="A small made-up shop",
            mapping="shop",
            generate=generate,
            task={
                "recommend": "Item",
                "to": "User",
                "key": {"User": "id", "Item": "id", "Category": "name"},
                "via": {"BUY": 1.0, "FAVOURITE": 0.5, "VIEW": 0.1},
                "timeProperty": "at",
                "horizon": "P14D",
                "alsoLabels": ["Category"],
                "alsoTypes": ["IN_CATEGORY"],
                "features": {"Item": ["price", "brand"], "User": ["age"]},
            },
            split={"method": "by_time"},
            terms="Made by gnn4j itself; free.",
            provider="gnn4j",
        ),
        Dataset(
            name="movielens-1m",
            title="MovieLens 1M",
            mapping="movielens-dat",
            directory="ml-1m",
            files=(
                DataFile(
                    "ratings.dat",
                    ("1d2b9e70a16161ae23b96e752cfe38cc969374ba2dfa9911df0a9d2ec337fcaf",),
                    (1_000_209,),
                ),
                DataFile(
                    "movies.dat",
                    ("0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9",),
                    (3_883,),
                ),
                DataFile(
                    "users.dat",
                    ("1dc3a95300cb19f7c10e027daf29b8cdf1d908dab65b5edfb45950aa389a10a3",),
                    (6_040,),
                ),
            ),
            download=Download(
                "https://files.grouplens.org/datasets/movielens/ml-1m.zip",
                "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
                5_917_549,
            ),
            task=_movies(features={"Movie": ["year"], "User": ["age", "gender", "occupation"]}),
            split={"method": "leave_last", "n": 10},
            terms=_GROUPLENS,
            provider="GroupLens, grouplens.org/datasets/movielens/1m",
        ),
        Dataset(
            name="movielens-small",
            title="MovieLens latest-small",
            mapping="movielens-csv",
            directory="ml-latest-small",
            files=(
                DataFile(
                    "ratings.csv",
                    ("b4239649fbf90ebf405c56c3ae1d929d9e7c86fc1a3a80cbef1c884df593ef73",),
                    (100_005, 100_837),
                ),
                DataFile(
                    "movies.csv",
                    ("43d1736d3c688eb5b7856473c36d86a1c345676cab256c91720c1f6984d263b5",),
                    (9_126, 9_743),
                ),
                DataFile(
                    "tags.csv",
                    ("ba8789ec2e7894bcb29a1762b2f9fb34bad7f288be6b4d8388e86af2138d430e",),
                    (1_297, 3_684),
                    True,
                ),
                DataFile(
                    "links.csv",
                    ("43a1bd034acb25dc59149eee2999f5e6817113e334853fbe6e36998972b10706",),
                    (9_126, 9_743),
                    True,
                ),
            ),
            download=Download(
                "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip",
                "696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
                978_202,
            ),
            task=_movies(features={"Movie": ["year"]}),
            split={"method": "leave_last", "n": 5},
            terms=(
                "GroupLens lets everyone use it for research and pass "
                "it on under the same terms, not for profit."
            ),
            provider="GroupLens, grouplens.org/datasets/movielens/latest",
        ),
        Dataset(
            name="movielens-100k-kg",
            title="MovieLens 100K with a Freebase knowledge graph",
            mapping="movielens-100k-kg",
            directory="ml-100k-kg",
            files=(
                DataFile(
                    "ml-100k.inter", ("4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",)
                ),
                DataFile(
                    "ml-100k.item", ("51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",)
                ),
                DataFile("ml-100k.kg", ("200a0636fa07c218119a42e5bac7aa3e26e3665a6f919c1b22909bd412b14779",)),
                DataFile(
                    "ml-100k.link", ("524dca2c3d62619688ab99b3ec53ea2acb9b64d38eafec3e02bdd0dc6bb7d948",)
                ),
                DataFile(
                    "ml-100k.user", ("4f670007d9cfbeb9807e757209af1555b9bcc186bde25e767f67cb67c6dd5972",)
                ),
            ),
            task=_movies(features={"Movie": ["year"], "User": ["age", "gender", "occupation"]}),
            split={"method": "leave_last", "n": 5},
            terms=_GROUPLENS,
            provider="RecBole (github.com/RUCAIBox/RecBole), recbole/dataset_example/ml-100k",
        ),
        Dataset(
            name="gowalla",
            title="Gowalla check-ins in the split of LightGCN",
            mapping="gowalla",
            directory="gowalla",
            files=(
                DataFile(
                    "train.txt",
                    ("0f086326b28a56c2e6dcb81d86ee72d4ccb7eed3a8d26788392356d8f51111cc",),
                    (29_858,),
                ),
                DataFile(
                    "test.txt",
                    ("099a2a73924e4b754dc6efd730d764f492321b53c38eb93298850c83acf57be3",),
                    (29_858,),
                ),
            ),
            task={
                "recommend": "Place",
                "to": "User",
                "key": {"User": "id", "Place": "id"},
                "via": {"VISITED": 1.0},
            },
            split={"method": "given", "test": ["HELD_OUT"]},
            terms="The check-ins come from the SNAP collection, for research; the split names no licence.",
            provider="LightGCN-PyTorch (github.com/gusye1234/LightGCN-PyTorch), data/gowalla",
        ),
        Dataset(
            name="lastfm",
            title="HetRec 2011 Last.FM",
            mapping="hetrec-lastfm",
            directory="lastfm",
            files=(
                DataFile(
                    "user_artists.dat",
                    ("254272fa721c3935e8be286d28c051b206844307128698ab4eaa41d483379416",),
                    (92_835,),
                ),
                DataFile(
                    "user_friends.txt",
                    ("0360883a3557776e04fdebda851f2e5dd23e796cad7059b968acdebd528d13fa",),
                    (),
                    True,
                ),
                DataFile("user_friends.dat", (), (25_435,), True),
                DataFile(
                    "artist_tags.txt",
                    ("1dee9e0f524e36786b6bdeff824834cc2fde825b4ffe6a9436ec12a279c36fc0",),
                    (),
                    True,
                ),
                DataFile("artists.dat", (), (17_633,), True),
                DataFile("tags.dat", (), (11_947,), True),
                DataFile("user_taggedartists-timestamps.dat", (), (186_480,), True),
                DataFile(
                    "item_index2entity_id.txt",
                    ("f9693bdde538f755d09b9931b0be662a98965e538658a00c2050912c0adf487b",),
                    (),
                    True,
                ),
                DataFile(
                    "kg.txt", ("f62bbc8f717c9f68e66dff6faeaa71025092acc11a0f1b4878b953eb05f946a9",), (), True
                ),
            ),
            download=Download(
                "https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-2k.zip",
                "6738f48195667ff03caaab4d32ca9a3133d8cc026b7c3cdaf6ce1010e913c59c",
                2_589_075,
            ),
            task={
                "recommend": "Artist",
                "to": "User",
                "key": {"User": "id", "Artist": "id"},
                "via": {"LISTENED": 1.0},
                "alsoLabels": ["Tag"],
                "alsoTypes": ["FRIEND", "HAS_TAG"],
            },
            split={"method": "random", "test": 0.1, "validation": 0.1},
            terms="HetRec 2011 lets everyone use it for research, not for profit.",
            provider="GroupLens, grouplens.org/datasets/hetrec-2011",
        ),
        Dataset(
            name="lastfm-small",
            title="Last.FM in the small split of LightGCN-PyTorch",
            mapping="lastfm-small",
            directory="lastfm",
            files=(
                DataFile(
                    "lightgcn_data1.txt",
                    ("c82af3228cbbda2f55a39244de09ed93292894f1d0d9f1908ebb57e27598fded",),
                ),
                DataFile(
                    "lightgcn_test1.txt",
                    ("de4417c0e6123284ce59a0934bcf5288ec1ec8774a18a1eef453c9952dfa48f9",),
                ),
                DataFile(
                    "lightgcn_trustnetwork.txt",
                    ("5b5bd7cbe4d22f3cd333dbfc7ec4b995cb2bdb28d95b0e9c5fc5607079f7b69e",),
                ),
            ),
            task={
                "recommend": "Artist",
                "to": "User",
                "key": {"User": "id", "Artist": "id"},
                "via": {"LISTENED": 1.0},
                "alsoTypes": ["FRIEND"],
            },
            split={"method": "given", "test": ["HELD_OUT"]},
            terms="HetRec 2011 lets everyone use it for research, not for profit.",
            provider=(
                "LightGCN-PyTorch (github.com/gusye1234/LightGCN-PyTorch), data/lastfm: its data1, test1 and "
                "trustnetwork, each named with lightgcn_ before"
            ),
        ),
        Dataset(
            name="deskdrop",
            title="CI&T Deskdrop",
            mapping="deskdrop",
            directory="deskdrop",
            files=(
                DataFile(
                    "interactions.csv",
                    ("4f3194713b26b788368a77a3acfe34d6f8a9450e58866c730b70e44aaf5eb852",),
                    (72_313,),
                ),
            ),
            task={
                "recommend": "Article",
                "to": "User",
                "key": {"User": "id", "Article": "id"},
                "via": {"FOLLOW": 1.0, "COMMENT": 0.8, "BOOKMARK": 0.6, "LIKE": 0.5, "VIEW": 0.2},
                "timeProperty": "at",
                "horizon": "P30D",
                "eventKey": ["source", "type", "target", "at"],
            },
            split={"method": "by_time"},
            terms=(
                "Published on Kaggle; the terms were not found with the copy, so take it for research only."
            ),
            provider="Kaggle, 'Articles sharing and reading from CI&T DeskDrop' (users_interactions.csv)",
        ),
        Dataset(
            name="taobao",
            title="Taobao user behaviour, 815 users",
            mapping="taobao",
            directory="taobao-events",
            files=(
                DataFile(
                    "events.csv",
                    ("7a33645988629cedc2b69540104a06a341d96acf9375f18aeea804de14b908f0",),
                    (84_477,),
                ),
            ),
            task={
                "recommend": "Item",
                "to": "User",
                "key": {"User": "id", "Item": "id", "Category": "id"},
                "via": {"BUY": 1.0, "CART": 0.6, "FAVOURITE": 0.5, "VIEW": 0.1},
                "timeProperty": "at",
                "horizon": "P1D",
                "alsoLabels": ["Category"],
                "alsoTypes": ["IN_CATEGORY"],
            },
            split={"method": "by_time"},
            terms="Alibaba Tianchi data set 649, for research.",
            provider="Alibaba Tianchi, data set 649 (UserBehavior.csv)",
        ),
        Dataset(
            name="games",
            title="Amazon Video Games sequences of SASRec",
            mapping="sasrec",
            directory="games-seq",
            files=(
                DataFile(
                    "Video.txt",
                    ("b7376fe24430743f411dc7f567285657b2adb3f74361cc7ba0aee94f3024b651",),
                    (287_107,),
                ),
            ),
            task={
                "recommend": "Item",
                "to": "User",
                "key": {"User": "id", "Item": "id"},
                "via": {"INTERACTED": 1.0},
                # There are no times; the place in the sequence orders what a user did.
                "timeProperty": "position",
                "eventKey": ["source", "type", "target", "position"],
            },
            split={"method": "leave_last", "n": 1},
            terms="Amazon review data, for research; the sequences name no licence.",
            provider="SASRec (github.com/kang205/SASRec), data/Video.txt",
        ),
    )
}


def get(name: str) -> Dataset:
    """The data set of that name.

    Raises:
        UnknownName: there is none; with the names there are.
    """
    if name not in DATASETS:
        raise UnknownName("data set", name, DATASETS)
    return DATASETS[name]


def names() -> list[str]:
    """All names, the one that needs no file first."""
    return list(DATASETS)
