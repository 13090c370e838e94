package import HoldfastModel

/// Is told how the runs on configured sources go.
package protocol SourceRunObserver: NoticeObserver {
  /// A source was examined, and its snapshot taken if it was due. The report says what else is due, or why that is not
  /// known.
  /// - Parameter isDryRun: whether nothing is done.
  func planned(_ report: SourceRun.Report, isDryRun: Bool)
  /// A step that was due is done.
  func ended(_ step: SourceRun.Done, of source: SourceName)
}
