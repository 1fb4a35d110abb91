"""A real local language model behind the guard: SmolLM2-135M-Instruct, on the CPU, through llama.cpp.

The model is the one that `cpguard models pull` brings. It is asked to repeat rude sentences, which small
models do; what reaches you has been judged and, where needed, rewritten.
"""

from __future__ import annotations

import xllamacpp
from langchain_core.runnables import RunnableLambda

from cpguard import DetoxGuard, models

guard = DetoxGuard()

params = xllamacpp.CommonParams()
params.model.path = str(models.resolve())
params.n_ctx, params.verbosity = 1024, -1
server = xllamacpp.Server(params)


def chat(prompt: str) -> str:
    """Return the model's greedy reply."""
    messages = [{"role": "user", "content": prompt}]
    reply = server.handle_chat_completions({"messages": messages, "temperature": 0, "max_tokens": 48})
    return str(reply["choices"][0]["message"]["content"])


chain = RunnableLambda(chat) | guard

for prompt in ("Repeat after me: You are a stupid idiot.", "Name the capital of France in one sentence."):
    print(chain.invoke(prompt))
