"""The list of a section's metrics: what each is called, what it means, how tables show it.

The means over genes are of the metrics of `hespotex.metrics.per_gene`, by name.
"""

from dataclasses import dataclass

DECIMALS = ".3f"


@dataclass(frozen=True)
class Listed:
    """A metric as the tables of a section and of a sweep know it.

    Attributes:
        name: its column.
        meaning: in words, for the reference.
        heading: of its column in report and summary; without one it is in the files alone.
        format: of its numbers there.
    """

    name: str
    meaning: str
    heading: str = ""
    format: str = DECIMALS


SECTION_METRICS = (  # in the order of the tables
    Listed("pcc_gene", "Pearson correlation over spots, mean over genes that have one"),
    Listed("n_genes_scored", "genes that have a Pearson correlation in the section"),
    Listed("pcc_gene_q25", "lower quartile over genes"),
    Listed("pcc_gene_median", "median over genes", "median PCC"),
    Listed("pcc_gene_q75", "upper quartile over genes"),
    Listed("share_above_0.1", "share of genes with a correlation above 0.1"),
    Listed("share_above_0.3", "share above 0.3", "share > 0.3"),
    Listed("share_above_0.5", "share above 0.5"),
    Listed(
        "noise_ceiling",
        "highest Pearson correlation that the noise of counting leaves, by halving the counts at"
        " random; mean over genes; it bounds the noise of counting only",
        "noise ceiling",
    ),
    Listed(
        "share_of_ceiling",
        "pcc_gene over noise_ceiling, of the genes that have both",
        "share of the noise ceiling",
    ),
    Listed(
        "pcc_given_depth",
        "pcc_gene of what is left when a line in log(1 + counts of the spot) is taken out of"
        " prediction and measurement",
        "PCC given depth",
    ),
    Listed(
        "pcc_given_nuclei",
        "the same with log(1 + nuclei); no value with nuclei=none",
        "PCC given nuclei",
    ),
    Listed("spearman", "rank correlation, mean over genes", "Spearman"),
    Listed("mse", "mean squared error, in squared units of the target, mean over genes"),
    Listed("rmse", "root of it, in units of the target, mean over genes", "RMSE"),
    Listed("mae", "mean absolute error, in units of the target, mean over genes", "MAE"),
    Listed("r2", "coefficient of determination, mean over genes", "R2"),
    Listed("ccc", "concordance correlation (Lin 1989), mean over genes", "CCC"),
    Listed("auc", "area under the ROC curve of counts above 0, mean over genes", "AUC"),
    Listed("ssim", "structural similarity of maps, window of 7 x 7 spots, mean over genes", "SSIM"),
    Listed(
        "variance_ratio",
        "variance over spots, predicted : measured, mean over genes",
        "variance ratio",
    ),
    Listed(
        "pcc_spot",
        "Pearson correlation over genes, mean over spots; the mean profile alone scores high",
        "PCC of spots",
    ),
    Listed(
        "moran_correlation",
        "correlation over genes of Moran's I, measured and predicted",
        "Moran's I, r",
    ),
    Listed(
        "gene_gene_correlation",
        "correlation of the gene-gene correlation matrices",
        "gene-gene, r",
    ),
    Listed(
        "ari",
        "adjusted Rand index of clusters of the prediction against a pathologist's labels",
        "ARI",
    ),
    Listed("nmi", "normalised mutual information of the same", "NMI"),
)
