"""The type of what a checkpoint tells of its model."""

from typing import Any, TypedDict


class About(TypedDict, total=False):
    """What a checkpoint tells of its model; scores and predictions carry it on."""

    model: str
    role: str
    data: str
    encoder: str
    fold_strategy: str
    seed: int
    split: dict[str, Any]  # as `Split.to_dict`
    leaks: list[str]
    data_fingerprint: str
    sample_table: str | None  # hash of the reader's table of samples
    genes: list[str]
    panel_fitted_on: list[str]  # section ids
    genes_trained_in: dict[str, list[int]]  # sections and groups that measured each gene
    gene_sets: dict[str, list[str]]
    unit: str
    expression_fitted_on: list[str]
    expression_state: dict[str, Any]
    section_facts: dict[str, dict[str, Any]]  # of each section: group, size, hashes
    sizes: dict[str, int]
    image_inputs: dict[str, Any]
    encoder_identity: dict[str, Any]
    training_scale: dict[str, Any] | None
    familiarity: dict[str, Any] | None
    nuclear_size_um: float | None
    grid: str
    pitch_um: float
    spot_diameter_um: float
    teacher: dict[str, Any] | None
    versions: dict[str, str]
    git_commit: str | None
    config: dict[str, Any]
    missing_genes: dict[str, list[str]]  # of another data set, which lacks them
    checkpoints: dict[str, str]  # hash of each, of a model that scored another data set
    request: str
    remarks: list[str]
    cost: dict[str, Any]
    read_off: dict[str, dict[str, float]]  # of the embeddings; see `hespotex.embeddings.probe`
