#!/usr/bin/env python3
"""Models of the SentencePiece library with its ids and texts, for compiler/text/tests/sentencepiece.rs.

usage: sentencepiece_models.py FOLDER [--small]     (needs `pip install sentencepiece`)
reads FOLDER/train.txt and FOLDER/eval.txt, writes NAME.model, NAME.ids and NAME.dec for each kind of model.
"""
import os
import sys

import sentencepiece as spm

MODELS = {
    "unigram": dict(model_type="unigram"),
    "bpe": dict(model_type="bpe"),
    "unigram_bytes": dict(model_type="unigram", byte_fallback=True, character_coverage=0.98,
                          normalization_rule_name="identity", pad_id=3),
    "bpe_user_defined": dict(model_type="bpe", byte_fallback=True, character_coverage=0.98,
                             user_defined_symbols=["<mask>", "tion", "%"], remove_extra_whitespaces=False,
                             normalization_rule_name="identity"),
    "unigram_suffix": dict(model_type="unigram", treat_whitespace_as_suffix=True, character_coverage=0.985,
                           user_defined_symbols=["<mask>", "tion", "%"], normalization_rule_name="nfkc_cf"),
    "unigram_bare": dict(model_type="unigram", add_dummy_prefix=False, character_coverage=0.985),
}
SMALL = ["unigram_bytes", "bpe_user_defined"]


def main():
    os.chdir(sys.argv[1])
    small = "--small" in sys.argv[2:]
    for name in SMALL if small else MODELS:
        spm.SentencePieceTrainer.train(
            input="train.txt", model_prefix=name, minloglevel=2, vocab_size=380 if small else 2000, num_threads=1,
            **MODELS[name])
        os.remove(name + ".vocab")
        model = spm.SentencePieceProcessor(model_file=name + ".model")
        with open("eval.txt", encoding="utf-8", newline="\n") as lines, \
                open(name + ".ids", "w") as ids, open(name + ".dec", "w", encoding="utf-8") as texts:
            for line in lines:
                found = model.encode(line.rstrip("\n"))
                ids.write(" ".join(map(str, found)) + "\n")
                texts.write(model.decode(found) + "\n")


main()
