# Results that cluster jobs finished after their Snakemake was killed: removed, so that this one asks for them again and
# records what they are made with. Trainings and measures are published again from their work folders, with no step made.

if workflow.exec_mode == ExecMode.DEFAULT and not workflow.dryrun and DEAD_SINCE is not None:
    for path in made_alone(Path.cwd(), DEAD_SINCE):
        if any(rule.is_producer(str(path)) for rule in workflow.rules):  # files of the user's own stay
            path.unlink(missing_ok=True)
