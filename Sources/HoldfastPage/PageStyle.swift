/// The style of the page: it follows the reader's choice of light or dark, fits a telephone, and prints on A4.
enum PageStyle {
  static let css: StaticString = """

    :root { color-scheme: light dark; --paper: #ffffff; --card: #f5f7f9; --ink: #1b1f24; --soft: #525b65;
      --edge: #d3dae1; --line: #1259b5; --pale: #b9d0ea; --full: #7a3fb8; --good: #0f6a2c; --warn: #7a4b00; --bad: #b0102b;
      --good-card: #e8f5ec; --warn-card: #fdf3dc; --bad-card: #fdeaec; --p0: #e6eaee; --p1: #b5e2c3; --p2: #6cc28a;
      --p3: #2f8f52; --p4: #0f6a2c; }
    @media screen and (prefers-color-scheme: dark) {
      :root { --paper: #0e1217; --card: #171d24; --ink: #e7edf3; --soft: #a3adb8; --edge: #2e363f; --line: #7cbcff;
        --pale: #31506f; --full: #b98af0; --good: #5fd47c; --warn: #e8b84a; --bad: #ff8078; --good-card: #12261a; --warn-card: #2a2210;
        --bad-card: #2f1619; --p0: #252c34; --p1: #17492a; --p2: #1b7a3d; --p3: #34ad57; --p4: #7ee097; } }
    * { box-sizing: border-box; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    body { margin: 0 auto; padding: clamp(1rem, 4vw, 2.5rem); max-width: 66rem; background: var(--paper);
      color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
    h1 { font-size: 1.15rem; font-weight: 600; color: var(--soft); margin: 0.4rem 0; }
    h2 { font-size: 1.5rem; margin: 3rem 0 1rem; display: flex; flex-wrap: wrap; gap: 0.8rem; align-items: center; }
    h3 { font-size: 1.1rem; margin: 2.5rem 0 0.8rem; padding-top: 0.8rem; border-top: 1px solid var(--edge); }
    .verdict { margin: 0; padding: 1.2rem 1.4rem; border-radius: 0.7rem; border-left: 0.5rem solid var(--good);
      background: var(--good-card); font-size: 1.15rem; }
    .verdict strong { display: block; font-size: 2rem; line-height: 1.3; color: var(--good); }
    .verdict.warning { border-color: var(--warn); background: var(--warn-card); }
    .verdict.critical { border-color: var(--bad); background: var(--bad-card); }
    .verdict.warning strong { color: var(--warn); } .verdict.critical strong { color: var(--bad); }
    .level { font-size: 0.85rem; padding: 0.1rem 0.7rem; border-radius: 1rem; color: var(--good);
      background: var(--good-card); border: 1px solid; }
    .level.warning { color: var(--warn); background: var(--warn-card); }
    .level.critical { color: var(--bad); background: var(--bad-card); }
    .concerns { list-style: none; padding: 0; margin: 0 0 1rem; } .concerns li { padding: 0.2rem 0; display: flex; gap: 0.6rem; }
    .word { flex: none; width: 5.2rem; font-weight: 600; font-size: 0.85rem; line-height: 1.8; }
    .critical .word { color: var(--bad); } .warning .word { color: var(--warn); }
    .note, .dates, .top, .label, footer { color: var(--soft); font-size: 0.85rem; margin: 0.3rem 0; }
    .label.bad { color: var(--bad); font-weight: 600; }
    footer { margin-top: 3rem; padding-top: 0.8rem; border-top: 1px solid var(--edge); }
    .facts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.8rem; margin: 1rem 0; }
    @media (min-width: 44rem) { .facts { grid-template-columns: repeat(3, minmax(0, 1fr)); } }
    .facts div { background: var(--card); border-radius: 0.6rem; padding: 0.8rem 1rem; break-inside: avoid; }
    .facts .missed { background: var(--bad-card); } .facts .missed dd:first-of-type { color: var(--bad); }
    dt { color: var(--soft); font-size: 0.85rem; } dd { margin: 0; font-weight: 600; font-size: 1.2rem; }
    dd.note { font-weight: 400; font-size: 0.8rem; margin: 0.1rem 0 0; }
    .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 2rem;
      margin: 1.5rem 0; }
    figure { margin: 0 0 1rem; min-width: 0; break-inside: avoid; }
    figcaption { font-weight: 600; margin-bottom: 0.3rem; }
    svg { display: block; width: 100%; height: 8rem; border-bottom: 1px solid var(--edge); }
    svg.chain { height: 1.4rem; } svg.phases { height: 0.9rem; border: 0; border-radius: 0.2rem; }
    svg.weeks { height: auto; border: 0; } div.weeks { max-width: 100%; margin: 0.3rem 0; }
    .months { position: relative; height: 1.2rem; color: var(--soft); font-size: 0.75rem; }
    .months span { position: absolute; }
    polyline { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
    .line { stroke: var(--line); } .area { fill: var(--line); opacity: 0.12; }
    .objective { stroke: var(--bad); stroke-dasharray: 6 4; } .mark { stroke: var(--warn); stroke-width: 1.5;
      stroke-dasharray: 2 3; }
    .bar { fill: var(--line); } .bar.full { fill: var(--full); } .bar.gone { fill: var(--pale); }
    .bar.bad { fill: var(--bad); } .bar-line { background: var(--line); } .bar-full { background: var(--full); }
    .bar-gone { background: var(--pale); } .bar-bad { background: var(--bad); }
    .dates { display: flex; justify-content: space-between; gap: 1rem; } .top { text-align: right; }
    .flags { position: relative; height: 1.5rem; }
    .flags span { position: absolute; transform: translateX(-50%); white-space: nowrap; min-width: 1.4rem;
      text-align: center; padding: 0 0.3rem; border-radius: 0.7rem; font-size: 0.8rem; line-height: 1.4rem;
      font-weight: 600; color: var(--paper); background: var(--warn); }
    .events { padding-left: 2.2rem; margin: 0.5rem 0 1.5rem; font-size: 0.95rem; } .events li { padding: 0.15rem 0; }
    .events li::marker { font-weight: 600; color: var(--warn); }
    time { color: var(--soft); font-variant-numeric: tabular-nums; margin-right: 0.3rem; }
    .year { margin-bottom: 0.6rem; } .space { font-size: 1.1rem; margin: 0 0 1rem; }
    .legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.2rem 1.1rem; padding: 0; margin: 0.5rem 0;
      font-size: 0.85rem; color: var(--soft); }
    .swatch { display: inline-block; width: 0.8rem; height: 0.8rem; border-radius: 0.2rem; margin-right: 0.4rem;
      vertical-align: -0.08rem; }
    .p0 { fill: var(--p0); background: var(--p0); } .p1 { fill: var(--p1); background: var(--p1); }
    .p2 { fill: var(--p2); background: var(--p2); } .p3 { fill: var(--p3); background: var(--p3); }
    .p4 { fill: var(--p4); background: var(--p4); }
    .day.bad, .swatch.bad { fill: var(--bad); background: var(--bad); }
    .k0 { fill: #b3377f; background: #b3377f; } .k1 { fill: #7a3fb8; background: #7a3fb8; }
    .k2 { fill: #3f5bd0; background: #3f5bd0; } .k3 { fill: #1789c4; background: #1789c4; }
    .k4 { fill: #149a8a; background: #149a8a; } .k5 { fill: #4ea84b; background: #4ea84b; }
    .k6 { fill: #a3b835; background: #a3b835; } .k7 { fill: #d98e1f; background: #d98e1f; }
    .k8 { fill: #9aa5b1; background: #9aa5b1; } .k9 { fill: #1789c4; background: #1789c4; }
    .c0 { fill: #1789c4; background: #1789c4; } .c1 { fill: #149a8a; background: #149a8a; }
    .c2 { fill: #7a3fb8; background: #7a3fb8; } .c3 { fill: #d98e1f; background: #d98e1f; }
    .c4 { fill: #b3377f; background: #b3377f; } .c5 { fill: #4ea84b; background: #4ea84b; }
    .c6 { fill: #3f5bd0; background: #3f5bd0; } .c7 { fill: #9aa5b1; background: #9aa5b1; }
    .scroll { overflow-x: auto; margin: 1rem 0; }
    table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
    caption { text-align: left; font-weight: 600; padding-bottom: 0.3rem; }
    th { color: var(--soft); font-weight: 600; font-size: 0.85rem; }
    th, td { text-align: left; padding: 0.35rem 1rem 0.35rem 0; border-bottom: 1px solid var(--edge);
      vertical-align: top; white-space: nowrap; } td:last-child { white-space: normal; min-width: 12rem; }
    summary { cursor: pointer; color: var(--line); padding: 0.3rem 0; }
    pre { background: var(--card); border-radius: 0.6rem; padding: 0.8rem 1rem; overflow-x: auto; font-size: 0.85rem; }
    @page { size: A4; margin: 15mm; }
    @media print { body { max-width: none; padding: 0; font-size: 10pt; } h2, h3, caption { break-after: avoid; }
      tr, li { break-inside: avoid; } .scroll, pre { overflow: visible; } pre { white-space: pre-wrap; }
      th, td { white-space: normal; } td:last-child { min-width: 0; } summary { color: var(--ink); }
      details::details-content { content-visibility: visible; block-size: auto; } }

    """
}
