package import HoldfastModel
internal import HoldfastSystem

/// An entry as `ls -l` would show it.
package enum EntryLine {
  package static func text(_ entry: Entry) -> String {
    let size = entry.file.map { String($0.size) } ?? "-"
    let owner = "\(entry.attributes.userID):\(entry.attributes.groupID)"
    var line =
      "\(type(entry.content))\(permissions(entry.attributes.mode))  \(padded(owner, 11))  \(leftPadded(size, 13))  "
    line += "\(TimeText.local(entry.attributes.modified))  \(entry.path)"
    switch entry.content {
    case .symbolicLink(let target): line += " -> \(Path(bytes: target))"
    case .hardLink(let file): line += " link to \(file)"
    case .file(let file) where file.consistency == .badPages:
      line += "  (\(file.consistency.name): \(file.badPages.map(String.init).joined(separator: ", ")))"
    case .file(let file) where file.consistency != .stable: line += "  (\(file.consistency.name))"
    default: break
    }
    return line
  }

  static func type(_ content: Content) -> String {
    switch content {
    case .directory: "d"
    case .file, .hardLink: "-"
    case .symbolicLink: "l"
    case .fifo: "p"
    case .characterDevice: "c"
    case .blockDevice: "b"
    }
  }

  private static func permissions(_ mode: UInt32) -> String {
    var text = ""
    for (shift, special, mark) in [(6, UInt32(0o4000), "s"), (3, 0o2000, "s"), (0, 0o1000, "t")] {
      let bits = mode >> UInt32(shift)
      text += bits & 4 != 0 ? "r" : "-"
      text += bits & 2 != 0 ? "w" : "-"
      let isExecutable = bits & 1 != 0
      text += mode & special != 0 ? (isExecutable ? mark : mark.uppercased()) : (isExecutable ? "x" : "-")
    }
    return text
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
  }

  private static func leftPadded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
