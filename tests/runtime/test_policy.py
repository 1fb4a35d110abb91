"""Decisions are a pure function of scores and policy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cpguard import Policy, Scores
from cpguard.policy import DEFAULT_ACTIONS, STRENGTH, alerts, decide, flagged_categories
from cpguard.results import CATEGORIES


def judge(policy, **scores):
    categories = flagged_categories(Scores(**{"toxicity": 0.0, **scores}), policy)
    return categories, decide(categories, policy), alerts(categories)


def test_a_threat_in_code_is_a_command():
    threat = Scores(toxicity=0.1, threat=0.99)
    assert flagged_categories(threat, Policy(), "code") == ()
    assert flagged_categories(threat, Policy(), "prose") == ("threat",)
    assert flagged_categories(Scores(toxicity=0.99), Policy(), "code") == ("toxicity",)


def test_clean_text_is_allowed():
    assert judge(Policy(), toxicity=0.49) == ((), "allow", False)


def test_a_score_at_its_threshold_is_flagged():
    assert judge(Policy(), toxicity=0.5) == (("toxicity",), "rewrite", False)


@pytest.mark.parametrize("category", CATEGORIES)
def test_by_default_every_category_is_rewritten(category):
    assert judge(Policy(), **{category: 0.9})[:2] == ((category,), "rewrite")


@pytest.mark.parametrize(
    ("category", "alert"),
    [
        ("toxicity", False),
        ("insult", False),
        ("profanity", False),
        ("threat", True),
        ("identity_attack", True),
        ("severe_toxicity", True),
        ("sexually_explicit", True),
    ],
)
def test_what_softening_must_not_hide_raises_an_alert(category, alert):
    assert judge(Policy(), **{category: 0.9})[2] is alert


def test_a_category_that_was_not_computed_is_not_flagged():
    assert judge(Policy(thresholds={"threat": 0.01}), toxicity=0.0) == ((), "allow", False)


def test_a_threshold_of_its_own_decides():
    policy = Policy(thresholds={"insult": 0.3, "toxicity": 0.9})

    assert judge(policy, toxicity=0.8, insult=0.3)[0] == ("insult",)


def test_the_strongest_action_wins():
    policy = Policy(actions={"profanity": "mask", "insult": "drop", "threat": "raise"})

    assert judge(policy, toxicity=0.9, profanity=0.9)[1] == "mask"
    assert judge(policy, toxicity=0.9, profanity=0.9, insult=0.9)[1] == "drop"
    assert judge(policy, toxicity=0.9, profanity=0.9, insult=0.9, threat=0.9)[1] == "raise"


def test_an_allowed_category_is_never_flagged_and_leaves_the_others_alone():
    policy = Policy(actions={"profanity": "allow"})

    assert judge(policy, profanity=1.0) == ((), "allow", False)
    assert judge(policy, profanity=1.0, insult=0.7)[0] == ("insult",)


def test_categories_come_in_their_fixed_order():
    assert judge(Policy(), threat=0.9, insult=0.9, toxicity=0.9)[0] == ("toxicity", "insult", "threat")


def test_a_classifiers_thresholds_fill_what_the_policy_leaves_open():
    policy = Policy(thresholds={"insult": 0.9}).with_defaults({"insult": 0.2, "threat": 0.3})

    assert policy.thresholds == {"insult": 0.9, "threat": 0.3}


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.01, float("nan")])
def test_a_threshold_outside_its_range_is_named(threshold):
    with pytest.raises(ValidationError, match=r"insult must be in \(0, 1\]"):
        Policy(thresholds={"insult": threshold})


@pytest.mark.parametrize(
    "wrong",
    [
        {"thresholds": {"rage": 0.5}},
        {"actions": {"insult": "ignore"}},
        {"actions": {"rage": "mask"}},
        {"fallback": ()},
        {"fallback": ("mask",)},
        {"fallback": ("rewrite",)},
        {"mode": "observe"},
        {"mask": ""},
        {"similarity_floor": 1.5},
        {"candidates": -1},
        {"context_chars": -1},
        {"treshold": 0.5},
    ],
)
def test_a_wrong_setting_is_refused(wrong):
    with pytest.raises(ValidationError):
        Policy(**wrong)


def test_it_cannot_be_changed_in_place():
    with pytest.raises(ValidationError, match="frozen"):
        Policy().mode = "monitor"


def test_it_survives_json():
    policy = Policy(
        thresholds={"insult": 0.3}, actions={"threat": "block"}, fallback=("drop",), mode="monitor"
    )

    assert Policy.model_validate_json(policy.model_dump_json()) == policy


probabilities = st.floats(0.0, 1.0)
policies = st.builds(
    Policy,
    thresholds=st.dictionaries(st.sampled_from(CATEGORIES), st.floats(0.01, 1.0)),
    actions=st.dictionaries(st.sampled_from(CATEGORIES), st.sampled_from(STRENGTH)),
)
all_scores = st.fixed_dictionaries(
    {"toxicity": probabilities},
    optional={category: probabilities for category in CATEGORIES if category != "toxicity"},
)


@given(policies, all_scores, st.data())
def test_raising_a_score_never_weakens_the_action_nor_silences_an_alert(policy, scores, data):
    category = data.draw(st.sampled_from(sorted(scores)))
    higher = data.draw(st.floats(scores[category], 1.0))

    before, action, alert = judge(policy, **scores)
    after, stronger, still = judge(policy, **{**scores, category: higher})

    assert set(before) <= set(after)
    assert STRENGTH.index(action) <= STRENGTH.index(stronger)
    assert alert <= still


@given(policies, all_scores)
def test_nothing_flagged_means_allow_and_something_flagged_never_does(policy, scores):
    categories, action, _ = judge(policy, **scores)

    assert (action == "allow") == (categories == ())


def test_the_defaults_cover_every_category():
    assert DEFAULT_ACTIONS.keys() == set(CATEGORIES)
