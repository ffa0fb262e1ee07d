#!/bin/sh
# Fuzzes what reads a token endpoint's answers, on one core, for FUZZ_SECONDS.
#
# Coverage needs no nightly compiler: the flags are those of cargo-fuzz but for the sanitizers, which
# look for errors that safe Rust does not make.
set -eu
cd "$(dirname "$0")"
: "${FUZZ_SECONDS:=1800}"
host=$(rustc -vV | sed -n 's/^host: //p')

echo '==> Building the fuzzer (first time: several minutes)'
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions -Coverflow-checks" \
  cargo build --locked --release --target "$host" --features libfuzzer --bin answer
cargo run --locked --quiet --release --bin seeds -- corpus/seeds

mkdir -p corpus/answer artifacts
echo "==> Fuzzing for $FUZZ_SECONDS s"
exec "target/$host/release/answer" -max_total_time="$FUZZ_SECONDS" -max_len=4096 -timeout=5 \
  -rss_limit_mb=1024 -dict=answer.dict -artifact_prefix=artifacts/ -print_final_stats=1 \
  corpus/answer corpus/seeds
