package import HoldfastModel

/// Is told how the runs of configured sources go.
package protocol SourceRunObserver: NoticeObserver {
  /// A source was looked at, and its snapshot taken if that was due. The report says what else is, or why that cannot
  /// be told.
  /// - Parameter isDryRun: whether nothing is done.
  func planned(_ report: SourceRun.Report, isDryRun: Bool)
  /// A step of what was due is done.
  func ended(_ step: SourceRun.Done, of source: SourceName)
}
