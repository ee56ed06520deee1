"""The front door: `hespotex VERB WORDS...` runs `python -m hespotex.VERB WORDS...`; `hespotex
--help` lists the verbs.
"""

import runpy
import sys
from collections.abc import Sequence

import hespotex

VERBS = {
    "train": "train and score models on the folds of a data set",
    "predict": "predict on slides, or score on another data set",
    "doctor": "look at a data set before training",
    "embed": "fill the embedding store without training",
    "statistics": "named image statistics of slides or sections as tables",
    "summary": "aggregate the runs below a folder",
    "compare": "compare two sweeps, paired by section and gene",
    "explain": "what a model saw: programmes of genes, and the image where they are high",
    "audit": "derive anew what a finished run's fitted parts have seen",
    "finalize": "the model of a cross-validation, fitted on all sections",
    "bundle": "one folder to share a cross-validated model",
    "info": "what a trained model is, and how far to believe it",
    "cohort": "tables of a cohort out of predicted slides",
    "write_back": "predictions as tables of the SpatialData objects they are of",
    "store": "list and clean the embedding store",
    "hest_benchmark": "score an encoder by HEST-Benchmark's protocol",
}
HELP = ("--help", "-h", "help")
COMPLETION = "--completion"
# The first word is a verb. Hydra completes the words of its commands itself, those of the others
# stand in their help.
SCRIPT = """\
_hespotex() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" verb="${{COMP_WORDS[1]}}" known
  if [ "$COMP_CWORD" -le 1 ]; then
    known="{verbs} --help --version"
  else case "$verb" in
    {hydra})
      known=$(COMP_LINE="${{COMP_LINE#*hespotex }}" COMP_POINT=$COMP_POINT hespotex "$verb" \\
        --shell-completion query=bash 2>/dev/null) ;;
    *) known=$(hespotex "$verb" --help 2>/dev/null | grep -oE -e '--[a-z-]+' | sort -u) ;;
  esac fi
  COMPREPLY=($(compgen -o default -W "$known" -- "$word"))
}}
COMP_WORDBREAKS=${{COMP_WORDBREAKS//=}}
complete -o nospace -o default -F _hespotex hespotex
"""
# verbs whose words are overrides
HYDRA = ("train", "predict", "doctor", "embed", "statistics", "hest_benchmark")


def main(words: Sequence[str] | None = None) -> None:
    """Run the verb that is the first of these words, of the command line by default."""
    argv = list(sys.argv[1:] if words is None else words)
    first = argv[0].replace("-", "_") if argv and not argv[0].startswith("-") else "".join(argv[:1])
    if first in VERBS:
        sys.argv = [sys.argv[0], *argv[1:]]
        runpy.run_module(f"hespotex.{first}", run_name="__main__", alter_sys=True)
    elif not argv or first in HELP:
        sys.stdout.write(help_text())
    elif first == "--version":
        sys.stdout.write(f"hespotex {hespotex.__version__}\n")
    elif first == COMPLETION:
        sys.stdout.write(SCRIPT.format(verbs=" ".join(VERBS), hydra="|".join(HYDRA)))
    else:
        _refuse(argv[0])


def help_text() -> str:
    """The verbs, a line each, and where more is said."""
    width = max(map(len, VERBS)) + 2
    lines = [f"  {verb:{width}}{does}" for verb, does in VERBS.items()]
    return "\n".join(
        [
            "HESpotEx: spot-level gene expression from H&E slides. Usage: hespotex VERB WORDS...",
            "",
            *lines,
            "",
            "hespotex VERB --help    words of a verb; also: python -m hespotex.VERB",
            "hespotex --version      version",
            'Tab completion (bash):  eval "$(hespotex --completion)"',
            "",
        ]
    )


def _refuse(word: str) -> None:
    from hespotex.cli.typos import near

    meant = near(word.replace("-", "_"), list(VERBS))
    lines = [f"hespotex: there is no verb {word}; expected one of {', '.join(VERBS)}", meant]
    sys.stderr.write("\n".join(line for line in lines if line) + "\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
