"""Weak labels: what a few common words let one say about a text that is only known to be toxic.

Most data sets say `toxic` and no more. For a toxic text a listed word is evidence for its category,
and the lack of anything that a category needs (no word of violence, of sex, of any group) is
evidence against that category. Where neither holds the label stays unknown and costs no loss.
"""

from __future__ import annotations

import re

from cpguard.results import Category

_PROFANITY = re.compile(
    r"\b(?:\w*fuck\w*|fck\w*|f u c k|(?:bull|horse|dog|dip|ape)?shit\w*|sh1t|ass|asses|arse\w*|\w+ass"
    r"|asshole\w*|ass-hole\w*|bitch\w*|bastard\w*|damn\w*|goddamn\w*|crap\w*|piss\w*|dick\w*|cunt\w*|bollocks"
    r"|wank\w*|twat\w*|prick\w*|cock|cocks|douche\w*)\b"
)
_NOT_PROFANE = re.compile(
    r"\b(?:pass|mass|class|glass|grass|brass|bass|lass|compass|harass|embarass|bypass|trespass)\b"
)
_INSULT = re.compile(
    r"\b(?:idiot\w*|moron\w*|stupid\w*|dumb\w*|fool|fools|loser\w*|imbecile\w*|jerk|jerks|pathetic|scum\w*"
    r"|asshole\w*|bitch\w*|bastard\w*|cunt\w*|dumbass\w*|twat\w*|prick|pricks|douche\w*|dickhead\w*|ignorant"
    r"|clown|clowns|coward\w*|trash|garbage|ugly|disgusting|ridiculous|hypocrit\w*|liar\w*|crooked|pig|pigs"
    r"|crazy|insane|nuts|lunatic\w*|sucks?|suck|useless|worthless|lazy)\b"
)
_SECOND_PERSON_INSULT = re.compile(
    r"\b(?:you|your|ur|u|he|she|they|he's|she's|you're)\b[^.?!]{0,30}\b(?:idiot\w*|moron\w*|stupid|dumb\w*"
    r"|fool|fools|loser\w*|imbecile\w*|jerk|asshole\w*|bitch\w*|bastard\w*|cunt\w*|dumbass\w*|twat\w*|prick"
    r"|douche\w*|dickhead\w*|scum\w*|clown|coward\w*|pathetic|ignorant|pigs?|worthless)\b"
)
_THREAT = re.compile(
    r"\b(?:i|we|i'll|we'll|ill|imma|gonna)\b[^.?!]{0,25}\b(?:kill|murder|stab|shoot|strangle|beat|hurt|punch"
    r"|slap|choke|destroy|burn|hunt|smash|slit|behead)\s+(?:you|u|ya|your|him|her|them|his|their|every)\b"
)
_VIOLENCE = re.compile(
    r"\b(?:kill\w*|murder\w*|stab\w*|sho[o]?t\w*|strangl\w*|beat\w*|hurt\w*|punch\w*|slap\w*|chok\w*|burn\w*"
    r"|hunt\w*|smash\w*|slit\w*|behead\w*|die|dies|dead|death|hang\w*|hung|execut\w*|bomb\w*|blood\w*|rape\w*"
    r"|kick\w*|knife|gun\w*|bullet\w*|destroy\w*|attack\w*|eliminat\w*|exterminat\w*|lynch\w*|rot|suffer\w*"
    r"|threat\w*|watch|find you|regret|pay for|drown\w*|crush\w*|throat\w*|punish\w*|bury|hell|fight\w*)\b"
)
_SEXUAL = re.compile(
    r"\b(?:sex\w*|porn\w*|rap(?:e|es|ed|ing|ist)\w*|penis\w*|vagina\w*|dick\w*|cock\w*|puss\w*|tit|tits|boob\w*"
    r"|breast\w*|ass|asses|anal\w*|anus|blow\w*|suck\w*|cum\w*|masturbat\w*|wank\w*|jerk\w*|horny|nude\w*"
    r"|naked|orgasm\w*|erotic\w*|slut\w*|whor\w*|hooker\w*|prostitut\w*|virgin\w*|bang\w*|lick\w*|bed|hump\w*"
    r"|\w*fuck\w*|screw\w*|semen|sperm|ball|balls|butt\w*|genital\w*|fetish\w*|perv\w*|molest\w*|pedo\w*"
    r"|paedo\w*|cunt\w*|twat\w*|kinky|panties|bra|lust\w*|condom\w*|crotch|kiss\w*)\b"
)
_SEXUAL_ACT = re.compile(
    r"\b(?:blow ?jobs?|suck (?:my|his|your|a) (?:dick|cock|balls)|hand ?jobs?|masturbat\w*|jerk(?:ing)? off"
    r"|orgasm\w*|anal sex|oral sex|cumshot\w*|hard ?-?on|deepthroat\w*|gangbang\w*|porn\w*)\b"
)
_IDENTITY = re.compile(
    r"\b(?:black\w*|white\w*|asian\w*|african\w*|latin\w*|mexic\w*|hispanic\w*|chin\w*|japan\w*|indian\w*"
    r"|arab\w*|muslim\w*|islam\w*|jew\w*|christ\w*|catholic\w*|hindu\w*|gay\w*|lesb\w*|homo\w*|queer\w*"
    r"|trans\w*|bisexual\w*|wom[ae]n\w*|girl\w*|female\w*|m[ae]n|male\w*|boy\w*|feminis\w*|immigra\w*"
    r"|migrant\w*|refugee\w*|foreign\w*|alien\w*|race\w*|racis\w*|nazi\w*|jihad\w*|terror\w*|disab\w*|autis\w*"
    r"|retard\w*|cripp\w*|old|american\w*|russian\w*|british|europ\w*|irish|polish|german\w*|french|native\w*"
    r"|liberal\w*|religio\w*|god|church\w*|slave\w*|hillbill\w*|redneck\w*|savage\w*|tribe\w*|illegals?"
    r"|n[i1]g\w*|f[a4]g\w*|k[i1]ke\w*|sp[i1]c\w?|dyke\w*|trann\w*|ch[i1]nk\w*|pak[i1]\w*|rag ?head\w*"
    r"|wh[o0]re\w*|slut\w*|bitch\w*|cunt\w*|g[o0]+k\w*|w[e3]tback\w*|towel\w*|goy\w*|infidel\w*"
    r"|heathen\w*|these people|those people|your kind|their kind|you people)\b"
)


def weak_labels(text: str) -> dict[Category, float]:
    """Return what the words of a toxic text say about the categories beside toxicity.

    Args:
        text: A text that people called toxic.

    Returns:
        1.0 for a category with evidence, 0.0 for one that lacks what it needs; nothing if unclear.
    """
    low = text.lower()
    labels: dict[Category, float] = {}
    if _PROFANITY.search(_NOT_PROFANE.sub(" ", low)):
        labels["profanity"] = 1.0
    elif "*" not in low:
        labels["profanity"] = 0.0
    if _SECOND_PERSON_INSULT.search(low):
        labels["insult"] = 1.0
    elif labels.get("profanity") == 1.0 and not _INSULT.search(low):
        labels["insult"] = 0.0
    if _THREAT.search(low):
        labels["threat"] = 1.0
    elif not _VIOLENCE.search(low):
        labels["threat"] = 0.0
    if _SEXUAL_ACT.search(low):
        labels["sexually_explicit"] = 1.0
    elif not _SEXUAL.search(low):
        labels["sexually_explicit"] = 0.0
    if not _IDENTITY.search(low) and (labels.get("insult") == 1.0 or labels.get("profanity") == 1.0):
        labels["identity_attack"] = 0.0
    return labels


def toxic_words(text: str) -> list[tuple[int, int]]:
    """Return the characters of the profanities and insults that the word lists know, in order."""
    places = {match.span() for pattern in (_PROFANITY, _INSULT) for match in pattern.finditer(text.lower())}
    return sorted(places) if len(text.lower()) == len(text) else []
