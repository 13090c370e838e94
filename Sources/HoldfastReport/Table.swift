/// Text in columns, padded with blanks.
package struct Table {
  private var rows: [[String]] = []
  private let rightAligned: Set<Int>

  package init(rightAligned: Set<Int> = []) { self.rightAligned = rightAligned }

  package mutating func add(_ cells: [String]) { rows.append(cells) }

  package var lines: [String] {
    let columns = rows.map(\.count).max() ?? 0
    let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
    return rows.map { row in
      var line = ""
      for (column, cell) in row.enumerated() {
        let padding = String(repeating: " ", count: widths[column] - cell.count)
        let isLast = column == row.count - 1
        line += rightAligned.contains(column) ? padding + cell : (isLast ? cell : cell + padding)
        if !isLast { line += "  " }
      }
      return line
    }
  }
}
