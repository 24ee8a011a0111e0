//! The keys that MAMMOTH knows, by section: those that become part of an experiment, and why the others don't.

/// What a key is that nothing of the import reads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unread {
    /// Nothing that is trained depends on it: why.
    Idle(&'static str),
    /// It changes what is trained, and experiments can't say it: what to do.
    NoEqual(&'static str),
}

use Unread::{Idle, NoEqual};

/// The keys of a mapping.
#[derive(Debug)]
pub(super) struct Section {
    /// In front of the name of an unknown key.
    pub(super) place: &'static str,
    /// Keys that are read, at least where something asks for them.
    pub(super) read: &'static [&'static str],
    /// Keys that never are.
    pub(super) unread: &'static [(&'static str, Unread)],
}

const NOTHING: Unread = Idle("MAMMOTH does nothing with it");
const RECORDS: Unread = Idle("`mmc run` reports and records in its own way");
const PROCESSES: Unread = Idle("the worker sees to it");
const BATCHES: Unread = Idle("`batch` and `shuffle` form the batches");
const RESUMING: Unread = Idle("`mmc run --resume` goes on from its own checkpoints");
const TRANSLATING: Unread = Idle("`mmc translate` has options of its own");
const DROPOUT: Unread = Idle("never reaches MAMMOTH's network; `dropout` in `model` would");
const BRIDGE: Unread = Idle("of the bridge's first values alone, which `init` sets");
const PIECES: Unread = Idle("`sentencepiece` does not need it");
const FEATURES: Unread = NoEqual("features of words have no place in an experiment: leave it out");

/// Keys at the top.
pub(super) const TOP: Section = Section {
    place: "",
    read: &[
        "ab_fixed_length",
        "ab_heads",
        "ab_layer_norm",
        "ab_layers",
        "accum_count",
        "adagrad_accumulator_init",
        "adam_beta1",
        "adam_beta2",
        "adapters",
        "batch_size",
        "batch_type",
        "config_config",
        "dec_layers",
        "decay_method",
        "decay_steps",
        "denoising_objective",
        "early_stopping",
        "early_stopping_criteria",
        "enc_layers",
        "gpu_ranks",
        "heads",
        "hidden_ab_size",
        "insert_ratio",
        "keep_checkpoint",
        "label_smoothing",
        "learning_rate",
        "learning_rate_decay",
        "mask_length",
        "mask_ratio",
        "max_grad_norm",
        "max_length",
        "model_dim",
        "model_dtype",
        "n_nodes",
        "nonzero_threshold",
        "normalization",
        "optim",
        "permute_sent_ratio",
        "poisson_lambda",
        "punct_threshold",
        "random_ratio",
        "rep_max_len",
        "rep_min_len",
        "rep_threshold",
        "replace_length",
        "rotary_pos_emb",
        "rotate_ratio",
        "save_checkpoint_steps",
        "save_model",
        "seed",
        "src_seq_length",
        "src_subword_alpha",
        "src_subword_model",
        "src_subword_nbest",
        "src_vocab",
        "start_decay_steps",
        "switchout_temperature",
        "task_distribution_strategy",
        "tasks",
        "tgt_seq_length",
        "tgt_subword_alpha",
        "tgt_subword_model",
        "tgt_subword_nbest",
        "tgt_vocab",
        "tokendrop_temperature",
        "tokenmask_temperature",
        "train_steps",
        "transforms",
        "valid_steps",
        "warmup_steps",
        "weight_decay",
        "word_ratio_threshold",
        "world_size",
        "x_transformers_opts",
    ],
    unread: &[
        ("accum_steps", Idle("MAMMOTH's loader takes the first of `accum_count` alone")),
        ("alpha", TRANSLATING),
        ("apex_opt_level", NOTHING),
        ("attention_dropout", DROPOUT),
        (
            "average_decay",
            NoEqual(
                "leave it out, and write `ema = 0.9995` in `training` for `5e-4`, which MAMMOTH follows faster at first",
            ),
        ),
        ("average_every", Idle("of averages, which are off")),
        ("batch_size_multiple", NOTHING),
        ("beam_size", TRANSLATING),
        ("data_type", NOTHING),
        ("dropout", DROPOUT),
        ("dropout_steps", DROPOUT),
        ("enable_embeddingless", NoEqual("every language has an embedding here: leave it out")),
        ("epochs", NOTHING),
        ("exp", RECORDS),
        ("exp_host", RECORDS),
        ("feat_merge", NOTHING),
        ("freeze_word_vecs_dec", NOTHING),
        ("freeze_word_vecs_enc", NOTHING),
        ("generator_function", NOTHING),
        ("global_attention_function", NOTHING),
        ("gpu_backend", PROCESSES),
        ("gpu_rank", TRANSLATING),
        ("gpu_verbose_level", RECORDS),
        ("length_penalty", TRANSLATING),
        ("log_file", RECORDS),
        ("log_file_level", RECORDS),
        ("log_model_structure", RECORDS),
        ("lookahead_minibatches", BATCHES),
        ("loss_scale", NOTHING),
        ("master_ip", PROCESSES),
        ("master_port", PROCESSES),
        ("max_generator_batches", NOTHING),
        ("max_look_ahead_sentences", BATCHES),
        ("max_relative_positions", NOTHING),
        ("min_length", TRANSLATING),
        ("model_task", NOTHING),
        ("model_type", NOTHING),
        ("n_best", TRANSLATING),
        ("node_rank", PROCESSES),
        ("normformer", NOTHING),
        ("num_workers", PROCESSES),
        ("overwrite", RECORDS),
        ("pad_to_max_length", BATCHES),
        ("param_init", BRIDGE),
        ("param_init_glorot", BRIDGE),
        ("pos_ffn_activation_fn", NOTHING),
        ("queue_size", PROCESSES),
        ("report_every", RECORDS),
        ("report_stats_from_parameters", RECORDS),
        ("report_training_accuracy", RECORDS),
        ("reset_optim", RESUMING),
        ("save_config", RECORDS),
        ("self_attn_type", NOTHING),
        ("share_vocab", PIECES),
        ("single_pass", NOTHING),
        ("src_feats_vocab", FEATURES),
        ("src_onmttok_kwargs", PIECES),
        ("src_seq_length_max", NOTHING),
        ("src_subword_type", PIECES),
        ("src_subword_vocab", NoEqual("vocabularies are the models' own: leave it out")),
        ("src_vocab_threshold", PIECES),
        ("structured_log_file", RECORDS),
        ("tensorboard", RECORDS),
        ("tensorboard_log_dir", RECORDS),
        ("tgt_onmttok_kwargs", PIECES),
        ("tgt_seq_length_max", NOTHING),
        ("tgt_subword_type", PIECES),
        ("tgt_subword_vocab", NoEqual("vocabularies are the models' own: leave it out")),
        ("tgt_vocab_threshold", PIECES),
        ("train_from", RESUMING),
        ("trg_subword_type", NOTHING),
        ("use_hf_tokenizer", NoEqual("write `kind = huggingface` in the imported `tokenizer`")),
        ("valid_batch_size", BATCHES),
        ("verbose", RECORDS),
        ("yes_i_messed_with_the_checkpoint", RESUMING),
    ],
};

/// Options of `config_config`: those that some stage reads, and those that none does.
pub(crate) const OPTIONS: &[&str] = &[
    "ae_path",
    "ae_transforms",
    "ae_weight",
    "autoencoder",
    "autoencoder_validation",
    "cutoff_threshold",
    "dec_sharing_groups",
    "distance_matrix",
    "enc_sharing_groups",
    "groups",
    "n_gpus_per_node",
    "n_groups",
    "n_nodes",
    "n_slots_per_gpu",
    "split_large_language_pairs",
    "src_path",
    "temperature",
    "tgt_path",
    "transforms",
    "use_introduce_at_training_step",
    "use_src_lang_token",
    "use_weight",
    "valid_src_path",
    "valid_tgt_path",
    "zero_shot",
];

/// An option that MAMMOTH documents and no stage reads.
pub(crate) const DOCUMENTED_ONLY: &str = "translation_config_dir";

/// Keys of `config_config`.
pub(super) const META: Section = Section {
    place: "config_config: ",
    read: OPTIONS,
    unread: &[
        (DOCUMENTED_ONLY, Idle("MAMMOTH documents it and reads it nowhere")),
        ("log_name", RECORDS),
        ("time_budget_s", Idle("the search counts steps and not seconds")),
    ],
};

/// Keys of a task.
pub(super) const TASK: Section = Section {
    place: "task: ",
    read: &[
        "adapters",
        "dec_sharing_group",
        "enc_sharing_group",
        "introduce_at_training_step",
        "node_gpu",
        "offset",
        "path_src",
        "path_tgt",
        "path_valid_src",
        "path_valid_tgt",
        "src_prefix",
        "src_tgt",
        "stride",
        "tgt_prefix",
        "transforms",
        "weight",
    ],
    unread: &[
        ("enable_embeddingless", NoEqual("every language has an embedding here: leave it out")),
        ("src_feats", FEATURES),
    ],
};

/// Keys of an adapter.
pub(super) const ADAPTER: Section = Section {
    place: "adapter: ",
    read: &["adapter_type", "hidden_dim", "ids", "layer_stack_index", "layers"],
    unread: &[],
};

const OTHER_NETWORK: Unread =
    NoEqual("the networks of experiments have no such part: leave it out");

/// Keys of `x_transformers_opts`.
pub(super) const NETWORK: Section = Section {
    place: "x_transformers_opts: ",
    read: &[
        "attn_dim_head",
        "attn_dropout",
        "ff_dropout",
        "ff_glu",
        "ff_mult",
        "ff_no_bias",
        "ff_swish",
        "heads",
        "rotary_emb_dim",
        "rotary_pos_emb",
        "tie_embedding",
        "use_abs_pos_emb",
        "use_rmsnorm",
        "use_simple_rmsnorm",
    ],
    unread: &[
        ("alibi_pos_bias", OTHER_NETWORK),
        ("attn_flash", Idle("the worker chooses how attention is computed")),
        ("attn_gate_values", OTHER_NETWORK),
        ("attn_kv_heads", OTHER_NETWORK),
        ("attn_num_mem_kv", OTHER_NETWORK),
        ("attn_on_attn", OTHER_NETWORK),
        ("attn_one_kv_head", OTHER_NETWORK),
        ("attn_qk_norm", OTHER_NETWORK),
        ("attn_sparse_topk", OTHER_NETWORK),
        ("attn_talking_heads", OTHER_NETWORK),
        ("deepnorm", OTHER_NETWORK),
        ("dynamic_pos_bias", OTHER_NETWORK),
        ("emb_frac_gradient", OTHER_NETWORK),
        ("ff_post_act_ln", OTHER_NETWORK),
        ("ff_relu_squared", OTHER_NETWORK),
        ("gate_residual", OTHER_NETWORK),
        ("layer_dropout", OTHER_NETWORK),
        ("macaron", OTHER_NETWORK),
        ("post_emb_norm", OTHER_NETWORK),
        ("pre_norm", NoEqual("write `norm = post` in the imported `model`")),
        ("rel_pos_bias", OTHER_NETWORK),
        ("residual_attn", OTHER_NETWORK),
        ("rotary_base_rescale_factor", OTHER_NETWORK),
        ("rotary_interpolation_factor", OTHER_NETWORK),
        ("rotary_xpos", OTHER_NETWORK),
        ("sandwich_norm", OTHER_NETWORK),
        ("scale_residual", OTHER_NETWORK),
        ("scaled_sinu_pos_emb", OTHER_NETWORK),
        ("shift_tokens", OTHER_NETWORK),
        ("use_scalenorm", OTHER_NETWORK),
        ("zero_init_branch_output", OTHER_NETWORK),
    ],
};
