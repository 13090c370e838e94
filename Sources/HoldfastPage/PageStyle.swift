/// The style of the page: it follows the reader's choice of light or dark, fits a telephone, and prints on A4.
enum PageStyle {
  static let css: StaticString = """

    :root { --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --edge: #d0d7de; --fill: #f6f8fa;
      --line: #0550ae; --good: #116329; --warn: #7d4e00; --bad: #a40e26; --p0: #e4e8ec; --p1: #b6e3c5; --p2: #6cc28a;
      --p3: #2f8f52; --p4: #116329; }
    @media (prefers-color-scheme: dark) {
      :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9ea7b3; --edge: #30363d; --fill: #161b22;
        --line: #79c0ff; --good: #56d364; --warn: #e3b341; --bad: #ff7b72; --p0: #21262d; --p1: #0e4429; --p2: #006d32;
        --p3: #26a641; --p4: #56d364; }
    }
    * { box-sizing: border-box; }
    body { margin: 0 auto; padding: 1rem; max-width: 70rem; background: var(--paper); color: var(--ink);
      font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
    h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2rem 0 0.5rem; }
    .verdict { border-left: 0.4rem solid var(--good); background: var(--fill); padding: 0.8rem 1rem; font-size: 1.15rem; }
    .verdict.warning { border-color: var(--warn); } .verdict.critical { border-color: var(--bad); }
    .level { font-weight: 600; color: var(--good); } .level.warning { color: var(--warn); }
    .level.critical { color: var(--bad); }
    .note, .dates, .top, .label, footer { color: var(--soft); font-size: 0.85rem; margin: 0.2rem 0; }
    .facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 13rem), 1fr)); gap: 0.8rem;
      margin: 1rem 0; }
    .facts div { background: var(--fill); border: 1px solid var(--edge); border-radius: 0.4rem; padding: 0.6rem 0.8rem; }
    dt { color: var(--soft); font-size: 0.85rem; } dd { margin: 0; font-weight: 600; }
    .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem; }
    figure { margin: 0; min-width: 0; break-inside: avoid; } figcaption { font-weight: 600; }
    svg { display: block; width: 100%; height: 7.5rem; background: var(--fill); border-bottom: 1px solid var(--edge); }
    svg.chain { height: 1.5rem; }
    polyline { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
    .line { stroke: var(--line); } .objective { stroke: var(--bad); stroke-dasharray: 6 4; }
    .bar { fill: var(--line); } .bar.bad { fill: var(--bad); }
    .dates { display: flex; justify-content: space-between; }
    .days { display: flex; flex-wrap: wrap; gap: 3px; }
    .day { width: 0.8rem; height: 0.8rem; border-radius: 2px; background: var(--p0);
      print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    .p1 { background: var(--p1); } .p2 { background: var(--p2); } .p3 { background: var(--p3); }
    .p4 { background: var(--p4); } .day.bad { background: var(--bad); }
    .scroll { overflow-x: auto; margin: 1rem 0; }
    table { border-collapse: collapse; width: 100%; font-size: 0.9rem; }
    caption { text-align: left; font-weight: 600; } th, td { text-align: left; padding: 0.25rem 0.8rem 0.25rem 0;
      border-bottom: 1px solid var(--edge); white-space: nowrap; }
    pre { background: var(--fill); padding: 0.8rem; overflow-x: auto; font-size: 0.85rem; }
    @page { size: A4; margin: 15mm; }
    @media print { body { max-width: none; padding: 0; font-size: 10pt; } section { break-before: auto; }
      .scroll, pre { overflow: visible; white-space: pre-wrap; } th, td { white-space: normal; } }

    """
}
