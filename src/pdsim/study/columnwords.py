"""What the columns of a table are usually called, in many languages."""

import re
from collections.abc import Sequence
from typing import Final

from pdsim.study.words import folded

ROLES: Final = {
    "facility": "facility|facility name|health facility|hospital|hospital name|site|site name"
    "|clinic|health centre|health center|orgunit|org unit|organisation unit|organisation unit name"
    "|organisationunitname|ou|provider|provider name|redcap_data_access_group|data access group"
    "|structure|formation sanitaire|etablissement|hopital|centre de sante|centro|unidad"
    "|establecimiento|estabelecimento|unidade|unidade de saude|kituo|hospitali|klinik"
    "|einrichtung|school|practice|trust|health unit|hospitais|krankenhaus"
    "|centro de salud|struttura|ospedale|ziekenhuis"
    "|zorginstelling|instelling|kliniek|presidio|szpital|hastane",
    "indicator": "indicator|indicator name|measure|measure_id|measure id|measure name|data element"
    "|dataelement|data|dx|item|metric|element|variable|indicateur|indicador|kiashiria|indikator"
    "|kennzahl|question|criterion|critere|standard",
    "period": "period|round|timepoint|time point|wave|phase|redcap_event_name|event name|pe"
    "|year|periode|periodo|kipindi|zeitraum|zeitpunkt|moment|when|date|visit date|operation date"
    "|date of surgery|ronda|ronde|rodada|runde|passage|vague|ola|awamu|mzunguko|tour|survey round"
    "|observation date|start_date|start date|quarter|month"
    "|annee|ano|anno|jahr|jaar|mwaka|fiscal year|financial year|trimestre|quartal|kwartaal|mois|mes"
    "|mese|monat|maand|datum|fecha|rilevazione|erhebung|messzeitpunkt|meetmoment|rok|yil|time",
    "successes": "successes|numerator|num|met|yes|events|compliant|passed|count met|n met|done"
    "|numerateur|numerador|zahler|number met|numer|n yes|count yes|achieved|compliant cases"
    "|nombre conforme|conformes|cumplen|erfullt|erfolge|successi|exitos|reussites|sucessos|ja"
    "|aantal ja|positive|correct|n correct",
    "trials": "trials|denominator|den|denom|total|observed|cases|sample|sample size|patients"
    "|opportunities|denominateur|denominador|nenner|number of patients|number of cases|n total"
    "|effectif|effectifs|nombre de cas|cas|casos|numero de casos|falle|fallzahl|observations|n obs"
    "|sample n|assessed|reviewed|total cases|casi|gevallen|patients n|cases n|observations n"
    "|n patients|n cases|n observed|gesamt|gesamtzahl|totale|totaal|effectif total|jumla",
    "percent": "percent|%|pct|percentage|rate|adherence|compliance|pourcentage|porcentaje"
    "|percentagem|percentuale|prozent|score percent|taux|taxa|tasa|quote|rate percent"
    "|value percent|coverage",
    "mean": "mean|average|moyenne|promedio|mittelwert|mean score",
    "sd": "sd|std|stdev|std dev|standard deviation|ecart-type|desviacion|standardabweichung",
    "se": "se|sem|stderr|std err|standard error|standardfehler",
    "value": "value|score|result|valeur|valor|thamani|wert|count|counts|number|nombre|anzahl|numero"
    "|quantity|figure|amount",
}

PAIRS: Final = (
    ("baseline", "endline"),
    ("before", "after"),
    ("pre", "post"),
    ("pretest", "posttest"),
    ("avant", "apres"),
    ("antes", "despues"),
    ("antes", "depois"),
    ("kabla", "baada"),
    ("vorher", "nachher"),
    ("base", "end"),
    ("ligne de base", "fin"),
    ("linea de base", "linea final"),
    ("initial", "final"),
    ("initiale", "finale"),
    ("round 1", "round 2"),
    ("round1", "round2"),
    ("wave 1", "wave 2"),
    ("visit 1", "visit 2"),
    ("t0", "t1"),
    ("t1", "t2"),
    ("r1", "r2"),
)
"""Labels of two periods, the earlier first."""

WITHIN: Final = {
    "facility": "facility|hospital|clinic|health centre|health center|formation sanitaire"
    "|etablissement|hopital|krankenhaus|klinik|hospitali|kituo|centro de salud|structure"
    "|estabelecimento|establecimiento|unidade de saude|einrichtung",
    "indicator": "indicator|indicateur|indicador|measure",
    "period": "period|periode|periodo|round|wave|timepoint|date|fecha|datum|submission time"
    "|survey start time",
    "percent": "%|percent|pct|percentage|pourcentage|porcentaje|percentuale|prozent|taux",
    "successes": "numerator|numerateur|numerador|zahler",
    "trials": "denominator|denominateur|denominador|nenner|effectif",
}
"""Words that say the role of a column wherever they stand in its name."""

LAST: Final = {"facility": "institution|unit|unite|service|department|ward|district|state|region"}
"""Words that say it where no other column does: places that facilities lie in, or parts of one."""

_MONTH: Final = (
    r"(?:jan|f[eé]v|feb|mar|a[pvb]r|ma[iy]|ju[nil]|ao[uû]|a[ug][go]|se[pt]|o[ck]t|nov"
    r"|d[eé][cz])"
)
_YEARED: Final = re.compile(
    rf"(?<![^\W_])(?:(?:(?:{_MONTH}[^\W\d_]*|[TQS][1-4])[ .-]?|[FE][YF] ?)?(?:19|20)\d\d"
    rf"(?:0[1-9]|1[0-2]|[ .-]?[TQS][1-4]|[/-]\d\d(?:\d\d)?)?|{_MONTH}[^\W\d_]*[ '-]\d\d)(?![^\W_])",
    re.IGNORECASE,
)
"""A year, with its quarter, half or month, or that of two halves, such as FY2021/22; Jan-22."""

_MONTHS: Final = {
    start: month + 1
    for month, starts in enumerate(
        (
            "jan|ene|gen", "feb|fev|fév", "mar|mrz|mac|maa", "apr|avr|abr", "may|mai|mei|mag",
            "jun|juin|giu", "jul|juil|lug", "aug|aou|ago", "sep|set", "oct|okt|out|ott", "nov",
            "dec|dez|des|dic",
        )
    )
    for start in starts.split("|")
}  # fmt: skip
"""How the names of months begin, in eight languages."""

LOWER: Final = re.compile(
    r"\blower\b[\w ]{0,40}\b(is|are) better|\bfewer\b[\w ]{0,20}\b(is|are) better"
    r"|\bless\b[\w ]{0,20}\b(is|are) better",
    re.IGNORECASE,
)
ADVERSE: Final = re.compile(
    r"mortal|death|deaths|infection|complication|readmi|harm|fall|error|missed|delay|waiting"
    r"|deces|muerte|obito|sterb|vifo|left before",
    re.IGNORECASE,
)


def tokens(name: str) -> list[str]:
    """Return the words of a column name."""
    return [word for word in re.split(r"[\s_.\-:/|()]+", folded(name)) if word]


def column_for(role: str, names: Sequence[str]) -> str | None:
    """Return the column that is called as `role` usually is; None where none is."""
    spaced = {" ".join(tokens(name)) or folded(name): name for name in reversed(names)}
    words = [" ".join(tokens(word)) or folded(word) for word in ROLES[role].split("|")]
    for word in words:
        if word in spaced:
            return spaced[word]
    for word in WITHIN.get(role, "").split("|"):
        wanted = tokens(word) or [folded(word)]
        holders = [name for name in names if wanted and _holds(tokens(name), wanted)]
        if word and len(holders) == 1:
            return holders[0]
    return next((spaced[word] for word in LAST.get(role, "").split("|") if word in spaced), None)


def _holds(words: Sequence[str], wanted: Sequence[str]) -> bool:
    size = len(wanted)
    return any(list(words[k : k + size]) == list(wanted) for k in range(len(words)))


def in_order(labels: Sequence[str]) -> list[str]:
    """Return labels of periods, the earliest first, as far as their words and numbers say.

    Examples
    --------
    >>> in_order(["After", "Before"]), in_order(["2023", "2021"])
    (['Before', 'After'], ['2021', '2023'])
    >>> in_order(["April 2022", "Januar 2022", "Dec-21"])
    ['Dec-21', 'Januar 2022', 'April 2022']
    """
    by_word = {folded(label): label for label in labels}
    for first, last in PAIRS:
        chosen = [by_word[word] for word in (first, last) if word in by_word]
        if len(chosen) == 2:
            rest = [label for label in labels if label not in chosen]
            return [chosen[0], *sorted(rest), chosen[1]]

    def key(label: str) -> tuple[list[int], str]:
        numbers = [int(part) for part in re.findall(r"\d+", label)]
        years = [number for number in numbers if 1900 <= number <= 2100]
        rest = [number for number in numbers if number not in years]
        words = re.findall(r"[^\W\d_]{3,}", folded(label))
        months = [month for word in words if (month := _month(word))]
        if months and not years and len(rest) == 1:
            # the year of Jan-22
            years, rest = [2000 + rest[0]], []
        return years + months + rest, label

    return sorted(labels, key=key)


def _month(word: str) -> int | None:
    """Return the number of a month by its name; None where it is none."""
    start = next((word[:size] for size in (4, 3) if word[:size] in _MONTHS), None)
    return None if start is None else _MONTHS[start]


def period_labels(names: Sequence[str]) -> list[str]:
    """Return the labels of periods in the names of columns, as written there, earliest first.

    Of several ways to read the names, the one by which most of them stand in both periods.

    Examples
    --------
    >>> period_labels(["met T4 2023", "met T1 2022"]), period_labels(["n before", "n After"])
    (['T1 2022', 'T4 2023'], ['before', 'After'])
    """
    ways = [in_order(list(dict.fromkeys(m[0] for name in names if (m := _YEARED.search(name)))))]
    for pair in PAIRS:
        written = [
            next((match[0] for name in names if (match := _word(label).search(name))), "")
            for label in pair
        ]
        ways += [written] if all(written) else []
        # the months that a period lasts stand behind it: Baseline (Jan-Mar 2022)
        longer = [
            next((match[0] for name in names if (match := _lasting(label).search(name))), "")
            for label in pair
        ]
        ways += [longer] if all(longer) else []
    return max(ways, key=lambda labels: _in_both(names, labels))


def _in_both(names: Sequence[str], labels: Sequence[str]) -> int:
    if len(labels) < 2:
        return 0
    first, last = (
        {without_label(name, label) for name in names if is_in(label, name)}
        for label in (labels[0], labels[-1])
    )
    return len(first & last)


def _word(label: str) -> "re.Pattern[str]":
    letters = re.escape(label).replace("e", "[eéè]").replace("u", "[uú]").replace("i", "[ií]")
    return re.compile(rf"(?<![^\W_]){letters}(?![^\W_])", re.IGNORECASE)


def _lasting(label: str) -> "re.Pattern[str]":
    return re.compile(_word(label).pattern + r"\s*\([^()]*\)", re.IGNORECASE)


def is_in(label: str, name: str) -> bool:
    """Tell whether a name holds the label of a period."""
    return bool(_word(label).search(name))


def without_label(name: str, label: str) -> str:
    """Return a name without the label of a period."""
    return _word(label).sub("", name, count=1).strip(" _.-:/|")
