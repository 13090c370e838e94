package import HoldfastModel

/// A message of a run to the operator.
package struct Notice: Sendable, Equatable {
  package enum Kind: Sendable {
    /// The run continues, but something is wrong.
    case warning
    /// A path was not captured or restored whole.
    case incomplete
    /// A change that the history of the source does not explain.
    case anomaly
    /// A stored object is damaged.
    case damage
    /// The reason why something was not done.
    case refusal
    /// The next thing to do, as a sentence.
    case hint
  }

  package let kind: Kind
  package let text: String
  /// The source of the message; `nil` when the run is on one source only.
  package let source: SourceName?

  package init(_ kind: Kind, _ text: String, of source: SourceName? = nil) {
    (self.kind, self.text, self.source) = (kind, text, source)
  }
}

/// Shows the progress of a run, until its end.
package protocol RunProgress: ProgressObserver {
  /// Removes the display.
  func end()
}

/// Gets the messages of a run. A console is an example.
package protocol NoticeObserver: AnyObject {
  func tell(_ notice: Notice)
  /// Makes a display for the progress of work that begins now.
  func makeProgress() -> any RunProgress
}

/// Shows the progress of a run, adds the source to messages if there are several, and keeps warnings for the run's
/// record.
package final class WatchedProgress: RunProgress {
  private let shown: any RunProgress
  private let watch: RunWatch?
  private let prefix: String

  /// - Parameters:
  ///   - watch: gets the warnings as well.
  ///   - source: `nil` when the run is on one source only.
  package init(_ shown: any RunProgress, watch: RunWatch?, of source: SourceName?) {
    self.shown = shown
    self.watch = watch
    prefix = source.map { "\($0): " } ?? ""
  }

  package func begin(phase: String, totalBytes: UInt64?) { shown.begin(phase: prefix + phase, totalBytes: totalBytes) }
  package func advance(bytes: UInt64, files: UInt64) { shown.advance(bytes: bytes, files: files) }
  package func skip(bytes: UInt64) { shown.skip(bytes: bytes) }
  package func note(_ message: String) { shown.note(prefix + message) }
  package func end() { shown.end() }

  package func warn(_ message: String) {
    watch?.warn(prefix + message)
    shown.warn(prefix + message)
  }
}
