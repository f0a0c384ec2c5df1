"""The picture of a simulated hour, as SVG."""

from pathlib import Path

HOUR = 3600.0


def draw(samples: list[tuple[float, int, int, int]], path: Path) -> None:
    """Three lines over an hour, as SVG."""
    width, height, top = 900, 300, 520
    lines = []
    for index, (name, colour) in enumerate((("queue", "#c33"), ("limit", "#393"), ("requests/min", "#36c"))):
        points = " ".join(
            f"{60 + at / HOUR * (width - 80):.0f},{height - 30 - values[index] / top * (height - 60):.0f}"
            for at, *values in samples
        )
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{points}"/>')
        lines.append(f'<text x="{70 + index * 120}" y="20" fill="{colour}">{name}</text>')
    for value in (0, 100, 200, 300, 400, 500):
        y = height - 30 - value / top * (height - 60)
        lines.append(f'<text x="10" y="{y + 4:.0f}">{value}</text>')
        lines.append(f'<line x1="55" x2="{width - 20}" y1="{y:.0f}" y2="{y:.0f}" stroke="#ddd"/>')
    for minute in range(0, 61, 10):
        x = 60 + minute / 60 * (width - 80)
        lines.append(f'<text x="{x - 8:.0f}" y="{height - 10}">{minute} min</text>')
    body = "\n".join(lines)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        f'font-size="12">\n<rect width="{width}" height="{height}" fill="white"/>\n{body}\n</svg>\n'
    )
