# How does a learning task shape a model's spectral learning priority?
#
#   snakemake --cores all                                          the demo (config/config.yaml)
#   snakemake --cores all --config study=tiny-imagenet-small       a study of config/studies/
#   snakemake --cores all --configfile my.yaml                     a study of your own
#   snakemake --cores 1 results/demo/runs/<tier>/<recipe>/seed0/spectra/gradient.h5      one result
#
# common.smk loads the study, files.smk names its files, resources.smk says what jobs need, damaged.smk and left_alone.smk
# put aside or remove what can't stay, failures.smk tells what failed; the others hold one stage each, in the order in which
# data flows. A study file stands alone: Snakemake's `configfile:`, which would merge it onto another, is not used.
from snakemake.utils import min_version

min_version("9.6")


include: "workflow/rules/common.smk"
include: "workflow/rules/files.smk"
include: "workflow/rules/resources.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/tiers.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/measures.smk"
include: "workflow/rules/statistics.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/damaged.smk"
include: "workflow/rules/left_alone.smk"
include: "workflow/rules/failures.smk"


report: "workflow/report/workflow.rst"


onerror:
    if failed := FAILURES.as_text():
        logger.error(failed)


# On a cluster these run where Snakemake does: targets, and what takes seconds on one core (a figure, the page).
localrules:
    all,
    data,
    tiers,
    runs,
    measures,
    statistics,
    figures,
    report,
    pictures,
    figure,
    report_page,
    picture,
    data_picture,
    task_picture,


rule all:
    """Everything: the study's report and all that it stands on (the default)."""
    default_target: True
    input:
        page=rules.report_page.output.page,
        figures=FIGURE_FILES,
        data_spectra=DATA_SPECTRA,
        again=MADE_AGAIN,


rule data:
    """Packed images, their audit, the reference space, class similarities and spectra of the data."""
    input:
        images=expand(IMAGES, pack=PACKS),
        audits=expand(AUDIT, pack=PACKS, format="html"),
        reference=expand(REFERENCE, pack=PACKS),
        spectra=DATA_SPECTRA,


rule tiers:
    """Which classes and images make each task, and how complex each task is."""
    input:
        manifests=expand(MANIFEST, tier=TIERS),
        complexity=expand(COMPLEXITY, tier=TIERS),


rule runs:
    """Every training."""
    input:
        run_files,


rule measures:
    """Every measure of every training."""
    input:
        spectra_of(STUDY.measures),


rule statistics:
    """The tables: priority, other measures, complexity, learning curves, correlations and claims."""
    input:
        priority=rules.gather.output.priority,
        measures=rules.gather.output.measures,
        complexity=rules.gather.output.complexity,
        tier_alignment=rules.gather.output.tier_alignment,
        correlations=rules.correlate.output.correlations,
        mixed=rules.correlate.output.mixed,
        adjusted=rules.correlate.output.adjusted,
        claims=rules.correlate.output.claims,
        again=NUMBERS_MADE_AGAIN,


rule figures:
    """Every figure, as svg, png and the csv behind it."""
    input:
        FIGURE_FILES,


rule report:
    """The report page, results/<study>/report.html."""
    input:
        page=rules.report_page.output.page,


rule pictures:
    """A picture of every result file: what each measure found in each run, and the spectra of data and tasks."""
    input:
        picture_files,
