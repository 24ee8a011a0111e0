//! Codes of the stage `model`.

use super::{Example, Row};

/// In order of code.
pub(super) const ROWS: &[Row] = &[
    Row {
        code: "mmc::model::all_frozen",
        title: "nothing to train",
        meaning: "`freeze` selects every module, so that training would change nothing.",
        wrong: "training { freeze = all }",
        right: "training { freeze = all - decoder }",
        example: Example::Over,
    },
    Row {
        code: "mmc::model::layers_differ",
        title: "one module with two depths",
        meaning: "A stack that some directions have with another number of layers must not be shared with the others: they would have the same name.",
        wrong: "model { encoder = [2 x FULL]  for cs -> de { encoder = [3 x FULL] } }",
        right: "model { encoder = [2 x SRC_LANGUAGE]  for cs -> all { encoder = [3 x SRC_LANGUAGE] } }",
        example: Example::Over,
    },
    Row {
        code: "mmc::model::no_stack",
        title: "a side without layers",
        meaning: "Encoder and decoder need at least one layer each.",
        wrong: "encoder = []",
        right: "encoder = [6 x FULL]",
        example: Example::Told,
    },
    Row {
        code: "mmc::model::nothing_frozen",
        title: "no module to freeze",
        meaning: "`freeze` selects modules by their place or name, and none of the experiment's modules is selected.",
        wrong: "training { freeze = \"encoder.9.full\" }",
        right: "training { freeze = \"encoder.0.*\" }",
        example: Example::Over,
    },
    Row {
        code: "mmc::model::optimizer_for_nothing",
        title: "an optimiser for no module",
        meaning: "A set of `optimizers` selects modules by their place or name, and none of the experiment's modules that are trained is in it.",
        wrong: "training { optimizers { heads = sgd(lr = 0.1) } }",
        right: "training { optimizers { decoder = sgd(lr = 0.1) } }",
        example: Example::Over,
    },
    Row {
        code: "mmc::model::two_optimizers",
        title: "a module with two optimisers",
        meaning: "Two sets of `optimizers` hold the same module. Their order means nothing, so neither wins.",
        wrong: "training { optimizers { all = sgd(lr = 0.1)  decoder = sgd(lr = 0.2) } }",
        right: "training { optimizers = { all - decoder = sgd(lr = 0.1), decoder = sgd(lr = 0.2) } }",
        example: Example::Over,
    },
    Row {
        code: "mmc::model::vocabularies_differ",
        title: "one embedding for two vocabularies",
        meaning: "An embedding (or output head) has one row a piece, so its users must have one vocabulary. `VOCABULARY` gives every vocabulary one of its own.",
        wrong: "model { embeddings { source = FULL } }",
        right: "model { embeddings { source = VOCABULARY } }",
        example: Example::Over,
    },
];
