"""Every word on the page, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LANGUAGES = ("en", "zh")

TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("maskwright studio", "maskwright 工作室"),
    "subtitle": ("Words and clicks into masks that were checked", "用文字和点击得到经过检验的蒙版"),
    "segment": ("Segment", "分割"),
    "parts": ("Parts", "部件"),
    "edit": ("Edit", "编辑"),
    "lift": ("3D", "三维"),
    "video": ("Video", "视频"),
    "about": ("Models and licences", "模型与许可"),
    "picture": ("Picture: click the thing", "图片：点击目标"),
    "upload": ("Open a picture", "打开图片"),
    "camera": ("Paste or camera", "粘贴或拍照"),
    "samples": ("Samples", "示例"),
    "mode": ("Click means", "点击表示"),
    "mode_inside": ("add", "添加"),
    "mode_outside": ("take away", "去除"),
    "mode_box": ("box corner", "框的角"),
    "mode_wand": ("magic wand", "魔棒"),
    "mode_take": ("take region", "选取区域"),
    "view": ("View", "视图"),
    "words": ("Name it", "用文字描述"),
    "words_hint": ("the red cup on the left", "左边的红色杯子"),
    "find": ("Find", "查找"),
    "everything": ("Everything", "全部区域"),
    "undo": ("Undo", "撤销"),
    "redo": ("Redo", "重做"),
    "clear": ("Clear", "清除"),
    "stop": ("Stop", "停止"),
    "alternatives": ("Alternatives", "备选"),
    "things": ("Objects", "对象"),
    "new_thing": ("New object", "新对象"),
    "remove_thing": ("Remove", "删除"),
    "name": ("Name", "名称"),
    "brush": ("Brush and eraser", "画笔与橡皮"),
    "brush_add": ("Add strokes", "添加笔迹"),
    "brush_erase": ("Erase strokes", "擦除笔迹"),
    "brush_load": ("Load picture into the brush", "把图片载入画板"),
    "import_mask": ("Import a mask", "导入蒙版"),
    "sculpt": ("Sculpt", "精修"),
    "sculpt_target": ("What it is", "目标名称"),
    "rounds": ("Rounds", "轮次"),
    "take_round": ("Take this round", "采用此轮"),
    "refuse_round": ("Keep mine", "保留原来的"),
    "before_after": ("Before / after", "前 / 后"),
    "export": ("Export", "导出"),
    "format": ("Format", "格式"),
    "download": ("Download", "下载"),
    "status_ready": ("Open a picture, then click the thing you want.", "先打开一张图片，然后点击想要的东西。"),
    "status_opened": ("{w}x{h}. Click the thing, or name it.", "{w}x{h}。点击目标，或用文字描述。"),
    "status_marked": ("{name}: {area} px, quality {score}", "{name}：{area} 像素，质量 {score}"),
    "status_none": ("There is no “{phrase}” here, as far as I can see ({reason}).", "没有找到“{phrase}”（{reason}）。"),
    "status_box": ("Now click the opposite corner.", "请点击对角。"),
    "status_everything": ("{n} regions. Click one to take it.", "共 {n} 个区域，点击选取。"),
    "status_stopped": ("Stopped.", "已停止。"),
    "status_kept": ("Kept as it was.", "已保留。"),
    "job": ("{kind}: {state} {percent}%{left}", "{kind}：{state} {percent}%{left}"),
    "left": (", about {s} s left", "，约剩 {s} 秒"),
    "waiting": ("waiting", "等待中"),
    "running": ("running", "进行中"),
    "done": ("done", "完成"),
    "stopped": ("stopped", "已停止"),
    "failed": ("failed", "失败"),
    "interrupted": ("interrupted", "已中断"),
    "link": ("This link brings you back to it:", "通过此链接可返回："),
    "run_parts": ("Take it apart", "拆分"),
    "parts_map": ("Parts: click one to hide or show it", "部件：点击以隐藏或显示"),
    "legend": ("Legend", "图例"),
    "garments": ("Garments", "服装"),
    "pose": ("Pose", "姿态"),
    "merge": ("Merge into", "合并到"),
    "part": ("Part", "部件"),
    "rename": ("Rename", "重命名"),
    "edit_words": ("What should change", "想要的修改"),
    "edit_hint": ("make it dark green", "改成深绿色"),
    "plan": ("Plan", "计划"),
    "show_plan": ("Show the plan", "查看计划"),
    "run_edit": ("Do it", "执行"),
    "result": ("Result", "结果"),
    "drift": ("Outside the mask: {n} pixels changed", "蒙版外改变的像素：{n}"),
    "history": ("History", "历史"),
    "use_result": ("Go on with the result", "以结果继续"),
    "run_lift": ("Lift to 3D", "生成三维"),
    "faces": ("Faces", "面数"),
    "report": ("Report", "报告"),
    "clip": ("Clip", "视频片段"),
    "frame": ("Frame", "帧"),
    "load_clip": ("Open the clip", "打开片段"),
    "track": ("Track", "跟踪"),
    "erase": ("Erase", "擦除"),
    "fix": ("Fix this frame: click", "修正此帧：点击"),
    "side_by_side": ("Before and after", "前后对比"),
    "cost": ("Cost", "花费"),
    "keys": (
        "Keys: Z undo, Y redo, A add, S take away, B box, W wand, Esc stop",
        "快捷键：Z 撤销，Y 重做，A 添加，S 去除，B 框，W 魔棒，Esc 停止",
    ),
    "oops": ("Something went wrong here; it was noted in the log.", "出错了，已记录到日志。"),
    "copied_from": ("From Segment: {name}", "来自分割：{name}"),
    "select_first": ("Mark something in Segment first.", "请先在“分割”中标出目标。"),
}
"""key -> (English, Chinese)"""


def say(language: str, key: str, **values: Any) -> str:
    """The text of a key in a language, with its places filled."""
    english, chinese = TEXTS[key]
    return (chinese if language == "zh" else english).format(**values)


def language_of(header: str | None) -> str:
    """ "zh" when the browser prefers Chinese, else "en"."""
    first = (header or "").split(",")[0].strip().lower()
    return "zh" if first.startswith("zh") else "en"
