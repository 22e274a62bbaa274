# One image for every part of Borsa: `borsa serve NAME`, or `borsa up`. Nothing secret is in it.
FROM python:3.11-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY pyproject.toml setup.py constraints.txt README.md LICENSE ./
COPY src ./src
COPY web ./web
RUN python -m venv /opt/borsa
RUN /opt/borsa/bin/python -m pip install --no-cache-dir --constraint constraints.txt ".[cluster]"
# fails where the kernel was not compiled, or the page not built
RUN test -e "$(/opt/borsa/bin/python -c 'from borsa.web import BUILT; print(BUILT)')/index.html"
RUN /opt/borsa/bin/python -c "from borsa.matching import kernel_name; kernel_name('compiled')"

FROM python:3.11-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /var/lib/borsa borsa \
    && install --directory --owner=borsa --mode=700 /var/lib/borsa
COPY --from=build /opt/borsa /opt/borsa
ENV PATH=/opt/borsa/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BORSA_DATA=/var/lib/borsa \
    BORSA_HOST=0.0.0.0 \
    BORSA_PORT=8000
USER borsa
WORKDIR /var/lib/borsa
EXPOSE 8000
HEALTHCHECK --interval=5s --timeout=4s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"]
ENTRYPOINT ["borsa"]
CMD ["up"]
