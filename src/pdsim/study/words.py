"""Words that cells hold instead of numbers: nothing, yes and no, totals; in many languages.

English, French, Spanish, Portuguese, Swahili and German; yes and no in a score more. They are
compared without case, accents and blanks around them. None of them applies to names: a facility
may be called ``none``.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_CODED: Final = re.compile(r"^\d{1,2}\s*[-.:=)]\s*(?=[^\W\d_])")


def folded(text: str) -> str:
    """Return a word without case, accents and blanks, for comparison.

    Examples
    --------
    >>> folded(" Não ")
    'nao'
    """
    text = text.strip().casefold()
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFKD", text)
    return "".join(char for char in plain if not unicodedata.combining(char)).strip()


def answer(text: str) -> str:
    """Return the word of an answer without the code before it, for comparison.

    Examples
    --------
    >>> answer("1 - Yes"), answer("0"), answer("2021-03-01")
    ('yes', '0', '2021-03-01')
    """
    word = folded(text)
    return _CODED.sub("", word)


def _all(*lines: str) -> frozenset[str]:
    return frozenset(folded(word) for line in lines for word in line.split("|"))


MISSING: Final = _all(
    "|-|--|\u2013|\u2014|.|..|*|**|?",
    "na|n/a|n.a.|n/d|nd|n.d.|nan|<na>|#n/a|null",
    "missing|unknown|not available|not applicable|not known|not recorded|not scored|no data",
    "don't know|dont know|do not know|dk|suppressed|redacted",
    "nsp|ne sait pas|inconnu|non disponible|sans objet|s/o|manquant",
    "no sabe|ns/nr|desconocido|no disponible|no aplica|sin dato|sin datos",
    "não sabe|desconhecido|não disponível|não aplicável|não se aplica|sem dados",
    "haijulikani|hajui|haihusiki|sijui|je ne sais pas|no sé|não sei",
    "not observed|non observé|no observado|não observado|nicht beobachtet|refused|refus",
    "unbekannt|keine angabe|k.a.|k. a.|weiß nicht|entfällt",
    "ignorado|non applicabile|non noto|sconosciuto|nvt|n.v.t.|niet van toepassing|onbekend",
    "nie dotyczy|brak danych|нет данных|неизвестно|bilinmiyor|لا ينطبق|غير معروف|不适用|不明",
)
"""Cells that hold no value; a 0 is a value."""


YES: Final = _all(
    "1|1.0|1,0|yes|y|true|t|oui|o|vrai|v|sí|s|verdadero|sim|verdadeiro|ndiyo|ndio|kweli|ja|j|wahr",
    "checked|ticked|met|done|pass|passed|compliant|conforme|cumple|cumpre|erfüllt|✓|✔|✔️|☑|√|✅",
    # Polish, Serbian and Romanian, Russian, Turkish, Indonesian, Vietnamese, Somali, Kinyarwanda,
    # Haitian, Malagasy, Amharic, Arabic, Urdu, Persian, Hindi, Bengali, Chinese, Japanese, Greek
    "tak|da|да|evet|ya|có|haa|yego|wi|eny|አዎ|نعم|ہاں|جی ہاں|بله|हाँ|हां|হ্যাঁ|是|有|はい|ναι",
)
NO: Final = _all(
    "0|0.0|0,0|no|n|false|f|non|faux|falso|não|hapana|sivyo|nein|falsch",
    "✗|✘|✕|✖|☐|❌",
    "unchecked|not ticked|not met|not done|fail|failed|not compliant|non-compliant|non compliant",
    "non conforme|non-conforme|no cumple|não cumpre|nicht erfüllt",
    "nee|nie|ne|nu|нет|hayır|tidak|không|maya|oya|non|tsia|አይ|አይደለም|لا|نہیں|جی نہیں|خیر|नहीं|না",
    "否|没有|いいえ|όχι",
)

VISIT_WORDS: Final = ("visit", "day", "team", "observer")
"""Columns of cases that say which are of one visit, where they hold neither met nor not met."""

TOTALS: Final = _all(
    "total|totals|grand total|subtotal|sub-total|overall|all|all facilities",
    "all hospitals|all sites",
    "sum|average|mean|median|national|national average|national total|aggregate|combined",
    "ensemble|moyenne|tous|total général|somme|moyenne nationale",
    "promedio|media|todos|total general|suma|todas",
    "média|soma|total geral|jumla|wastani|jumla kuu",
    "gesamt|summe|insgesamt|durchschnitt|mittelwert|alle|gesamtsumme",
    "totale|totale generale|totaal|eindtotaal|gemiddelde|razem|suma|итого|всего|toplam|المجموع",
    "合计",
)
"""What a row of totals or averages is called where a facility should stand."""


_ALL: Final = re.compile(
    r"(total )?(all( the)?|alle|tous les|toutes les|todos (los|os)|todas (las|as)) ([a-z]+ )?"
    r"(facilities|hospitals|sites|trusts|clinics|units|cent(re|er)s|providers|districts|states"
    r"|schools|practices|wards|departments|institutions|regions|cases|kliniken|hauser"
    r"|krankenhauser|einrichtungen|etablissements|hopitaux|formations|hospitales|hospitais|centros"
    r"|unidades|establecimientos)"
    r"|(l')?ensemble (du|de la|des|de l') ?[a-z]+|total (de |des |dos |de los )[a-z]+"
    r"|total( |, | - )?(district|region|country|sample|facilities|hospitals|sites|cases)"
)


def is_total(name: str) -> bool:
    """Tell whether a name is that of a row of totals.

    Examples
    --------
    >>> is_total("Grand total:"), is_total("All Saints")
    (True, False)
    """
    word = folded(name).strip(" :.*-()[]")
    return word in TOTALS or bool(_ALL.fullmatch(word))


def with_own(words: frozenset[str], own: Iterable[str]) -> frozenset[str]:
    """Return the words, and those that a study states."""
    return words | {folded(str(word)) for word in own}
