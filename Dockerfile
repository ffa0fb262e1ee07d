# The server in an image of its own, run by an ordinary user. It expects a DATABASE_URL; see
# compose.yaml.

FROM node:20-bookworm-slim AS node

FROM rust:1.95-bookworm AS build
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules /usr/local/lib/node_modules
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
WORKDIR /src
COPY . .
RUN npm ci --prefix xtask && cargo xtask build --release

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /data --no-create-home regrant \
    && install -d -o regrant -g regrant -m 0700 /data
COPY --from=build /src/target/release/regrant /usr/local/bin/regrant
USER regrant
VOLUME /data
ENV REGRANT_DATA_DIR=/data REGRANT_LISTEN=0.0.0.0:3000
EXPOSE 3000
ENTRYPOINT ["regrant"]
CMD ["serve"]
