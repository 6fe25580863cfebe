# The switch in a small image that runs as a user of its own:
#
#   docker build -t flowswitch .
#   docker run --network host -v flowswitch:/var/lib/flowswitch flowswitch
#
# RTP wants thousands of UDP ports, so the host's network serves better than published ports; without it,
# give --external-address and a narrow --rtp-ports.

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/flowswitch --create-home flowswitch
COPY --from=build /src/target/release/flowswitch /usr/local/bin/flowswitch
COPY examples/flows /etc/flowswitch/flows

# The embedded voice is GPL-3.0-or-later, and so is a program that has it inside.
LABEL org.opencontainers.image.licenses="GPL-3.0-or-later"
USER flowswitch
WORKDIR /var/lib/flowswitch
VOLUME /var/lib/flowswitch
ENV FLOWSWITCH_FLOWS=/etc/flowswitch/flows \
    FLOWSWITCH_DATA=/var/lib/flowswitch
EXPOSE 5060/udp 5060/tcp 16384-32767/udp
STOPSIGNAL SIGTERM
ENTRYPOINT ["flowswitch"]
