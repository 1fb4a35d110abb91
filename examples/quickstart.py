"""Guard a text: only the flagged sentence is rewritten, everything else passes byte for byte."""

from __future__ import annotations

from cpguard import DetoxGuard

guard = DetoxGuard()

result = guard.detoxify("Thanks for asking. Your question is fucking stupid, but the answer is 42.")
print(result.text)
print(result.action, result.categories)

verdict = guard.check("The process was killed after 30 seconds.")
print("flagged" if verdict.flagged else "clean")
