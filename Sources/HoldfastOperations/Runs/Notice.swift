package import HoldfastModel

/// Something that a run tells the operator, in words.
package struct Notice: Sendable, Equatable {
  package enum Kind: Sendable {
    /// The run goes on, but not all is as it should be.
    case warning
    /// A path is not captured or restored whole.
    case incomplete
    /// The history of the source does not explain what was captured.
    case anomaly
    /// Something stored is damaged.
    case damage
    /// Why something was not done.
    case refusal
    /// What to do next, as a sentence.
    case hint
  }

  package let kind: Kind
  package let text: String
  /// Of which source it is said; `nil` where the run is about one only.
  package let source: SourceName?

  package init(_ kind: Kind, _ text: String, of source: SourceName? = nil) {
    (self.kind, self.text, self.source) = (kind, text, source)
  }
}

/// Shows how far a run is, until its end.
package protocol RunProgress: ProgressObserver {
  /// Takes away what shows how far it is.
  func end()
}

/// Is told what a run has to say while it goes on: a console, say.
package protocol NoticeObserver: AnyObject {
  func tell(_ notice: Notice)
  /// What shows how far the work is that begins now.
  func makeProgress() -> any RunProgress
}

/// Shows the progress of a run, says of which source it is where there are several, and keeps warnings for its record.
package final class WatchedProgress: RunProgress {
  private let shown: any RunProgress
  private let watch: RunWatch?
  private let prefix: String

  /// - Parameters:
  ///   - watch: gets the warnings as well.
  ///   - source: `nil` where the run is about one only.
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
