internal import Glibc
internal import Synchronization

/// A value that takes long to make: the first test that needs it makes it, and the others copy it. It is released when
/// the process of the tests ends, and so are the directories that it refers to.
package final class Prepared<Value: Sendable>: Sendable {
  private let made = Mutex<Value?>(nil)
  private let make: @Sendable () throws -> Value

  package init(_ make: @escaping @Sendable () throws -> Value) {
    self.make = make
  }

  /// The value. Tests that ask while it is being made wait.
  package var value: Value {
    get throws {
      try made.withLock { made in
        if let made { return made }
        let value = try make()
        made = value
        AtExit.perform { self.made.withLock { $0 = nil } }
        return value
      }
    }
  }
}

/// What is done when the process of the tests ends, in any order.
private enum AtExit {
  private static let actions = Mutex<[@Sendable () -> Void]?>(nil)

  static func perform(_ action: @escaping @Sendable () -> Void) {
    actions.withLock { actions in
      if actions == nil { atexit { AtExit.actions.withLock { $0 ?? [] }.forEach { $0() } } }
      actions = (actions ?? []) + [action]
    }
  }
}
