# The front desk: `just` lists what can be done here.

set positional-arguments

_default:
    @just --list --unsorted

# Everything that CI runs.
ci:
    scripts/test

# Formatting, lints, documentation and dependency rules.
[group('check')]
check: fmt-check lint doc deny typos

[group('check')]
fmt-check:
    cargo fmt --all --check

[group('check')]
lint:
    cargo clippy --workspace --all-targets --locked -- -D warnings

[group('check')]
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

# Bans, licences and sources; needs cargo-deny.
[group('check')]
deny:
    cargo deny --locked check bans licenses sources

# Spelling; needs typos.
[group('check')]
typos:
    typos

# Tests of one crate or all: `just test -p provisioning-compat`.
[group('test')]
test *args="--workspace":
    cargo build --workspace --locked
    cargo test --locked "$@"

# Read and accept changed snapshots; needs cargo-insta.
[group('test')]
snap:
    cargo insta review

# Fuzz one target of package/fuzz; needs cargo-fuzz.
[group('test')]
fuzz target *args:
    cd package && RUSTC_BOOTSTRAP=1 cargo fuzz run "$@"

# Benchmarks of all crates or one: `just bench -p provisioning-package`.
[group('test')]
bench *args="--workspace":
    cargo bench --locked "$@"

# A registry in ./registry-data on port 8080.
[group('run')]
serve *args:
    cargo run --locked -p provisioning-registry-server -- serve --listen 127.0.0.1:8080 "$@"

# The whole mission in front of you.
[group('run')]
demo:
    scripts/quickstart
