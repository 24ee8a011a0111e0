#!/usr/bin/env python3
"""Scores of sacreBLEU for compiler/text/tests/metrics.rs.

usage: sacrebleu_scores.py OUT.json [CORPORA]     (needs `pip install sacrebleu`)

Sentences are made up here: a few of each language below, and mutations of them by a fixed generator. CORPORA (default 6)
mutated corpora are scored with every choice of options; the committed fixture has 6, a deep comparison takes 200.
"""
import itertools
import json
import random
import sys

from sacrebleu.metrics import BLEU, CHRF

SENTENCES = {
    "en": ["The quick fox, aged 12, jumped over 1,000.5 lazy dogs.", "It's a well-known fact (isn't it?) that 3-4 people left.",
           "\"Quoted\" &quot;entities&quot; &amp; &lt;tags&gt; stay.", "Prices rose 5% to $3.50 - or so they say...",
           "e-mail me @home: a_b/c\\d ~ {x} [y] `z`", "In 1990-2000, 2nd. ed., pp. 3,4"],
    "de": ["Der schnelle Fuchs läuft über die Straße.", "„Größe zählt nicht“, sagte Frau Müller-Lüdenscheidt.",
           "Am 3.10.1990 kostete es 1.234,56 Euro."],
    "fr": ["L'été dernier, j'ai vu « quelque chose » d'étrange !", "Qu'est-ce que c'est ? Un château ; rien d'autre…"],
    "cs": ["Příliš žluťoučký kůň úpěl ďábelské ódy.", "Tři ženy čtou 25 knih denně."],
    "ru": ["Быстрая лиса перепрыгнула через ленивую собаку.", "«Что это?» — спросил он в 1812 году."],
    "el": ["Ο ΓΡΗΓΟΡΟΣ ΣΚΎΛΟΣ ΤΡΈΧΕΙ ΣΤΟΥΣ ΔΡΌΜΟΥΣ.", "Τι είναι αυτό; Τίποτα."],
    "ar": ["كتب الطالب الدرس في المدرسة، أليس كذلك؟", "السعر ١٢٫٥ دينار."],
    "hi": ["लड़का किताब पढ़ता है।", "भारत में १०० भाषाएँ हैं।"],
    "zh": ["今天天气很好，我们去公园散步吧！", "他在2023年买了3.5公斤苹果（很便宜）。", "“中文”ABC混合text测试。"],
    "ja": ["日本語のテキストを翻訳します。", "東京タワーは333メートルです。", "「こんにちは」と彼女は言った…"],
    "ko": ["오늘은 날씨가 아주 좋습니다.", "그는 학교에 3시 30분에 갔다!"],
    "th": ["ฉันกินข้าวที่บ้าน", "เขามีแมว 2 ตัว"],
    "xx": ["a\u00a0b\u3000c\u2009d", "½ ² ™ € ± ×", "👍🏽 ok ☃ ★", "x\u2028y z\x1fw", "<skipped> -\u200b- ﬁne ｆｕｌｌ", "....", "a", ""],
}
BLEU_OPTIONS = [
    dict(), dict(tokenize="intl"), dict(tokenize="char"), dict(tokenize="zh"), dict(tokenize="none"), dict(lowercase=True),
    dict(smooth_method="floor"), dict(smooth_method="floor", smooth_value=0.25), dict(smooth_method="add-k"),
    dict(smooth_method="add-k", smooth_value=0.5), dict(smooth_method="none"), dict(effective_order=True),
    dict(effective_order=True, tokenize="char", lowercase=True),
]
CHRF_OPTIONS = [dict(), dict(word_order=2), dict(lowercase=True), dict(whitespace=True), dict(beta=3, char_order=4, word_order=1)]


def mutate(rng, text):
    chars = list(text)
    for _ in range(rng.choice([0, 0, 1, 2, 3, 8])):
        if not chars:
            break
        at = rng.randrange(len(chars))
        kind = rng.randrange(5)
        if kind == 0:
            del chars[at]
        elif kind == 1:
            chars.insert(at, rng.choice(" .,-aE1é。'\""))
        elif kind == 2:
            chars[at] = chars[at].swapcase()
        elif kind == 3:
            chars[at:at + 6] = []
        else:
            words = "".join(chars).split(" ")
            rng.shuffle(words)
            chars = list(" ".join(words))
    return "".join(chars)


def corpora(count):
    pool = list(itertools.chain(*SENTENCES.values()))
    for language in ["en", "zh", "ja", "ru", "de"]:
        rng = random.Random(language)
        references = SENTENCES[language]
        yield [mutate(rng, text) for text in references], [references]
    for seed in range(count):
        rng = random.Random(seed)
        first = [rng.choice(pool) for _ in range(rng.choice([1, 1, 3, 12, 30]))]
        references = [first] + [[mutate(rng, text) for text in first] for _ in range(rng.randrange(3))]
        yield [mutate(rng, text) for text in first], references
    yield ["", ""], [["a b c d", "e"]]
    yield ["a b c d", "e"], [["", ""]]
    yield ["x y"], [["p q r s t"]]


def main():
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 6
    out = []
    for translations, references in corpora(count):
        scores = []
        for kind, metric, choices in [("bleu", BLEU, BLEU_OPTIONS), ("chrf", CHRF, CHRF_OPTIONS)]:
            for options in choices:
                scorer = metric(**options)
                score = scorer.corpus_score(translations, references)
                signature = str(scorer.get_signature())
                scores.append(dict(kind=kind, options=options, score=score.score,
                                   line=score.format(signature=signature)))
        out.append(dict(translations=translations, references=references, scores=scores))
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(out, file, ensure_ascii=False, indent=0)


main()
