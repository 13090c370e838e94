package import HoldfastModel

/// Gets the progress of the runs on configured sources.
package protocol SourceRunObserver: NoticeObserver {
  /// A source was examined, and its snapshot taken if it was due. The report contains the other steps that are due, or
  /// the reason why they are not known.
  /// - Parameter isDryRun: true if nothing is done.
  func planned(_ report: SourceRun.Report, isDryRun: Bool)
  /// A step that was due is done.
  func ended(_ step: SourceRun.Done, of source: SourceName)
}
