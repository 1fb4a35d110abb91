"""A guard at the end of a LangChain chain; a batch goes through the classifier in one pass.

The chat model is a stand-in that replies with fixed sentences, so that this runs offline.
"""

from __future__ import annotations

from langchain_core.language_models import FakeListChatModel
from langchain_core.output_parsers import StrOutputParser

from cpguard import DetoxGuard

llm = FakeListChatModel(
    responses=[
        "The invoice is attached.",
        "Your question is fucking stupid, but the answer is 42.",
        "Restart the router and wait two minutes.",
    ]
)
chain = llm | DetoxGuard() | StrOutputParser()

for reply in chain.batch(["Where is my invoice?", "What is six times seven?", "The router is down."]):
    print(reply)
