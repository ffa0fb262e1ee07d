# The two commands are `make run` and `make test`. Both install what is missing, say what they do,
# and can be repeated.

.DEFAULT_GOAL := help
.PHONY: help run test torture torture-short soak dev figures sqlx fuzz bench bench-provider bench-import bench-pages lighthouse stories setup

help:
	@echo 'make run      build Regrant and run it with sample data'
	@echo 'make test     format check, lints, Rust tests, browser tests'
	@echo 'make torture  kill and cut off real processes for about an hour, and judge what came of it'
	@echo 'make soak     half an hour of constant load: memory, files and dead rows must not grow'
	@echo '              (ARGS="--seconds 3600" and the like change either; see end2end/torture/options.mjs)'
	@echo 'make dev      the same as run, quickly built and slow to run'
	@echo 'make figures  sizes, memory and build times, against their limits'
	@echo 'make sqlx     write .sqlx anew after a change of queries or migrations'
	@echo 'make fuzz     fuzz the reading of token responses, for FUZZ_SECONDS (1800)'
	@echo 'make bench    speed, in ratios to what PostgreSQL does beside it, against its aims'
	@echo 'make bench-provider  what each preset costs, against its limits'
	@echo 'make bench-pages     how long pages take with 100,000 connections, and how much they weigh'
	@echo 'make lighthouse      what Lighthouse says of three pages, against its limits'
	@echo 'make stories  each screen'\''s main task in every width, theme, with and without a script; pictures of all'
	@echo 'make bench-import    how fast 100,000 connections are imported, against its limits'

setup:
	@sh xtask/setup.sh build

run: setup
	@echo '==> Building the build tool (first time: under a minute)'
	@cargo xtask build --release
	@echo '==> Starting the demo; Ctrl-C ends it'
	@exec target/release/regrant demo

dev: setup
	@cargo xtask build
	@exec target/debug/regrant demo

test:
	@sh xtask/setup.sh test
	@cargo xtask suite

torture:
	@sh xtask/setup.sh test torture
	@cargo xtask torture --profile full $(ARGS)

torture-short:
	@sh xtask/setup.sh test torture
	@cargo xtask torture $(ARGS)

soak:
	@sh xtask/setup.sh test torture
	@cargo xtask soak $(ARGS)

figures: setup
	@cargo xtask build --release
	@cargo xtask figures

sqlx: setup
	@cargo xtask sqlx

fuzz: setup
	@sh fuzz/run.sh

bench: setup
	@cargo xtask bench

bench-provider: setup
	@cargo bench --locked --manifest-path fuzz/Cargo.toml --bench provider

bench-import: setup
	@cargo xtask build --release
	@cargo xtask bench-import

bench-pages: setup
	@cargo xtask bench pages

lighthouse:
	@sh xtask/setup.sh test lighthouse
	@cargo xtask build --release
	@node end2end/lighthouse/run.mjs

# Pictures are in target/end2end/screenshots/stories.
stories:
	@sh xtask/setup.sh test
	@cargo xtask build
	@cd end2end && REGRANT_STORIES=all npx --no-install playwright test specs/stories.spec.ts --project=walks
