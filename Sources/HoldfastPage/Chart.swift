internal import HoldfastModel

/// A drawing over time with the words around it: a title, the greatest value, dates, and a sentence for those who do
/// not see the drawing.
struct Chart {
  static let height = 120.0
  let title: String
  /// The sentence that says what the drawing shows.
  let summary: String
  /// The value at the upper edge, for example `3 h`.
  let top: String
  let axis: TimeAxis
  let drawing: HTML
  /// The flags above the drawing, placed by shares of its width.
  var flags = HTML.all([])

  var html: HTML {
    .element(
      "figure", [:],
      .element("figcaption", [:], title),
      .element("p", ["class": "top", "aria-hidden": "true"], top), flags,
      .element(
        "svg",
        [
          "viewBox": "0 0 \(TimeAxis.number(TimeAxis.width)) \(TimeAxis.number(Self.height))",
          "preserveAspectRatio": "none", "role": "img", "aria-label": "\(title): \(summary)",
        ], drawing),
      axis.labels, .element("p", ["class": "note"], summary))
  }

  /// A line through points in the units of the drawing.
  static func line(_ points: [(x: Double, y: Double)], class name: String) -> HTML {
    let list = points.map { "\(TimeAxis.number($0.x)),\(TimeAxis.number($0.y))" }.joined(separator: " ")
    return .element("polyline", ["class": name, "points": list])
  }

  /// A filled area, given by its corners.
  static func area(_ corners: [(x: Double, y: Double)]) -> HTML {
    let list = corners.map { "\(TimeAxis.number($0.x)),\(TimeAxis.number($0.y))" }.joined(separator: " ")
    return .element("polygon", ["class": "area", "points": list])
  }

  /// Returns the vertical position of a value: 0 at the lower edge.
  static func y(_ value: Double, of greatest: Double) -> Double {
    greatest > 0 ? height - max(0, min(1, value / greatest)) * height : height
  }
}
