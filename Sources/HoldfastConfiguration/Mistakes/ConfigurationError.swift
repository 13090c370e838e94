package import HoldfastModel

/// A mistake in a configuration.
package struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
  /// `nil` when the mistake is not in a file, but for example in an environment variable.
  package let position: FilePosition?
  package let message: String
  package let hint: String?

  package init(_ position: FilePosition?, _ message: String, hint: String?) {
    (self.position, self.message, self.hint) = (position, message, hint)
  }

  package var description: String {
    let line = position.map { "\($0): \(message)" } ?? message
    return hint.map { line + "\nHINT: " + $0 } ?? line
  }
}

/// A configuration that cannot be used: all mistakes, in the order of files and lines.
package struct ConfigurationError: OperatorError, Equatable {
  private static let shownMax = 50
  package let mistakes: [Mistake]

  package init(_ mistakes: [Mistake]) {
    self.mistakes = mistakes.enumerated().sorted { left, right in
      (left.element.sortKey, left.offset) < (right.element.sortKey, right.offset)
    }.map(\.element)
  }

  package var message: String {
    let head = "the configuration has \(Amount.count(UInt64(mistakes.count), "mistake"))"
    let rest = mistakes.count - Self.shownMax
    return ([head] + mistakes.prefix(Self.shownMax).map(\.description) + (rest > 0 ? ["… and \(rest) more"] : []))
      .joined(separator: "\n")
  }

  /// `nil`, because each mistake has its own hint.
  package var hint: String? { nil }
  package var exitStatus: ExitStatus { .usage }
  package var scope: ErrorScope { .usage }
}

/// A configuration is needed, but there is none.
package struct MissingConfiguration: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .usage }
  package var scope: ErrorScope { .usage }

  /// - Parameters:
  ///   - what: the names that are needed: `sources to back up`.
  ///   - path: the path at which it would be read.
  package init(for what: String, in path: Path) {
    message = "there is no configuration that names \(what)"
    hint = """
      Write one into \(path) (`holdfast config example` shows everything that can stand there):
      repositories:
        shop: {path: /backup/shop}
      sources:
        orders: {path: /srv/orders}
      """
  }
}

/// A value is missing in all files that this user may read, but may be in the machine's configuration.
package struct ForbiddenConfiguration: OperatorError, Equatable {
  package let message: String
  package let hint: String?
  package var exitStatus: ExitStatus { .usage }
  package var scope: ErrorScope { .usage }

  /// - Parameters:
  ///   - what: says in a message that the value is missing: `no repository is named`.
  ///   - path: the file that may not be read.
  ///   - instead: the option or command that names it, as a sentence.
  package init(_ what: String, _ path: Path, instead: String) {
    message =
      "\(what), and this user may not read \(path), without which the configuration of the machine does not count"
    hint = "\(instead); or let this user read all files of the configuration (chgrp, chmod g+r)."
  }
}

extension Mistake {
  private struct Key: Comparable {
    let file: Path
    let line: Int
    let column: Int
    static func < (left: Key, right: Key) -> Bool {
      (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
  }

  fileprivate var sortKey: some Comparable {
    Key(file: position?.file ?? .root, line: position?.line ?? 0, column: position?.column ?? 0)
  }
}
