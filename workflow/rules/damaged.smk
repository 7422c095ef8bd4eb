# Puts aside what was damaged since it was made, before Snakemake takes it for up to date; `all` and `statistics` ask for
# it again, for what has no need of it would not.
# Dry runs and jobs move nothing.
from snakemake.logging import logger

from spectral_priority.recovery.damaged import missing_since, put_aside_damaged, remove_if_other

if workflow.exec_mode == ExecMode.DEFAULT and not workflow.dryrun and is_alone(Path.cwd()):
    try:
        for path in put_aside_damaged(Path.cwd(), [STUDY.study, "data"]):
            logger.warning(f"{path} is no longer as it was made: moved to results/damaged/, and made again.")
        # Written by a shell, which tells no checksum; it is written again in no time.
        remove_if_other(Path.cwd(), RESOLVED, RESOLVED_TEXT)
    except InputError as error:
        raise WorkflowError(str(error)) from None

MADE_AGAIN = [] if Path(RESOLVED).exists() else [RESOLVED]
MISSING = missing_since(Path.cwd())
if MISSING:  # otherwise the long lists need not be made
    MADE_AGAIN += sorted(
        MISSING
        & {
            *expand(
                [IMAGES, f"{IMAGES}.sha256", PACK_REPORT, DUPLICATES, TWINS, REFERENCE],
                pack=PACKS,
            ),
            *expand(AUDIT, pack=PACKS, format=["html", "csv", "json"]),
            *(
                SIMILARITY.format(pack=pack, label=label, kind=kind)
                for pack, label in LABELS
                for kind in SIMILARITIES
            ),
            *DATA_SPECTRA,
            *expand([MANIFEST, INDICES, COMPLEXITY, CLASS_MEAN_PSD, PINSON], tier=TIERS),
            *run_files(None),
            *spectra_of(STUDY.measures)(None),
            *rules.gather.output,
            *rules.correlate.output,
            *OTHER_TABLES.values(),
            *OVER_TRAINING.values(),
            *FIGURE_FILES,
            *picture_files(None),
            *rules.report_page.output,
        }
    )

SHOWN = {
    *FIGURE_FILES,
    *(picture_files(None) if MISSING else []),
    *rules.report_page.output,
}
NUMBERS_MADE_AGAIN = [path for path in MADE_AGAIN if path not in SHOWN]
