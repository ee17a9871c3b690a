"""The one Java class of this package: it remembers and restores static fields, and makes a windowless ROI manager.

It is written as methods, not as a file, because the compiler at hand (javassist, which the ij1-patcher brings) compiles
methods. From Python, through reflection, the same work takes a hundred times as long.
"""

from __future__ import annotations

from typing import Any

from ._java import java

STATE = "fijibridge.State"

_FIELDS = ("fields", "values", "contents", "copies")

_METHODS = (
    # The images of a table that came in with the job.
    """
    public static java.util.Vector amongInputs(java.util.Vector images) {
        java.util.Vector left = new java.util.Vector();
        if (images != null) left.addAll(images);
        left.retainAll(inputs);
        return left;
    }
    """,
    # A copy of what can be changed in place: lists, tables and arrays, one level deep; null for all else.
    """
    private static Object copy(Object value) {
        if (value == null) return null;
        String name = value.getClass().getName();
        if (name.equals("java.util.Vector") || name.equals("java.util.ArrayList"))
            return new java.util.ArrayList((java.util.Collection) value);
        if (name.equals("java.util.Hashtable") || name.equals("java.util.HashMap")
            || name.equals("java.util.Properties"))
            return new java.util.HashMap((java.util.Map) value);
        if (!name.startsWith("[")) return null;
        int length = java.lang.reflect.Array.getLength(value);
        Object array = java.lang.reflect.Array.newInstance(value.getClass().getComponentType(), length);
        System.arraycopy(value, 0, array, 0, length);
        return array;
    }
    """,
    """
    private static void refill(Object value, Object copy) {
        if (value instanceof java.util.Collection) {
            ((java.util.Collection) value).clear();
            ((java.util.Collection) value).addAll((java.util.Collection) copy);
        } else if (value instanceof java.util.Map) {
            ((java.util.Map) value).clear();
            ((java.util.Map) value).putAll((java.util.Map) copy);
        } else {
            System.arraycopy(copy, 0, value, 0, java.lang.reflect.Array.getLength(value));
        }
    }
    """,
    """
    public static void remember(Class type) throws Exception {
        java.lang.reflect.Field[] all = type.getDeclaredFields();
        for (int i = 0; i < all.length; i++) {
            int flags = all[i].getModifiers();
            boolean fixed = java.lang.reflect.Modifier.isFinal(flags);
            if (!java.lang.reflect.Modifier.isStatic(flags) || all[i].isSynthetic()) continue;
            if (fixed && (all[i].getType().isPrimitive() || all[i].getType() == String.class)) continue;
            all[i].setAccessible(true);
            Object value = all[i].get(null);
            if (!fixed) {
                fields.add(all[i]);
                values.add(value);
            }
            Object copy = copy(value);
            if (copy != null) {
                contents.add(value);
                copies.add(copy);
            }
        }
    }
    """,
    """
    public static void restore() throws Exception {
        for (int i = 0; i < fields.size(); i++)
            ((java.lang.reflect.Field) fields.get(i)).set(null, values.get(i));
        for (int i = 0; i < contents.size(); i++)
            refill(contents.get(i), copies.get(i));
    }
    """,
    # The ROI manager is a window and keeps the list of ROIs in it; a headless Java refuses to construct one. Its list
    # works without ever being shown, so the object is made without its constructor, and given what the list needs.
    """
    private static Object bare(Class type) throws Exception {
        java.lang.reflect.Field field = Class.forName("sun.misc.Unsafe").getDeclaredField("theUnsafe");
        field.setAccessible(true);
        return ((sun.misc.Unsafe) field.get(null)).allocateInstance(type);
    }
    """,
    """
    private static void set(Object manager, String name, Object value) throws Exception {
        java.lang.reflect.Field field = ij.plugin.frame.RoiManager.class.getDeclaredField(name);
        field.setAccessible(true);
        field.set(manager, value);
    }
    """,
    """
    public static ij.plugin.frame.RoiManager makeManager() throws Exception {
        Object manager = bare(ij.plugin.frame.RoiManager.class);
        javax.swing.DefaultListModel model = new javax.swing.DefaultListModel();
        set(manager, "listModel", model);
        set(manager, "list", new javax.swing.JList(model));
        set(manager, "rois", new java.util.ArrayList());
        set(manager, "showAllCheckbox", bare(java.awt.Checkbox.class));
        set(manager, "labelsCheckbox", bare(java.awt.Checkbox.class));
        set(manager, "defaultLineWidth", Integer.valueOf(1));
        set(manager, "translateX", Double.valueOf(10.0));
        set(manager, "translateY", Double.valueOf(10.0));
        String[] on = { "firstTime", "recordShowAll", "multiCropShow" };
        for (int i = 0; i < on.length; i++) set(manager, on[i], Boolean.TRUE);
        set(null, "instance", manager);
        return (ij.plugin.frame.RoiManager) manager;
    }
    """,
    """
    public static ij.plugin.frame.RoiManager madeManager() throws Exception {
        java.lang.reflect.Field field = ij.plugin.frame.RoiManager.class.getDeclaredField("instance");
        field.setAccessible(true);
        return (ij.plugin.frame.RoiManager) field.get(null);
    }
    """,
    """
    public static void rememberAll(ClassLoader loader) throws Exception {
        String[] names = classes.split(" ");
        for (int i = 0; i < names.length; i++) {
            try {
                remember(Class.forName(names[i], true, loader));
            } catch (LinkageError windowClass) {
                continue;
            } catch (ClassNotFoundException otherVersion) {
                continue;
            }
        }
    }
    """,
)


def compile_state(pool: Any, names: list[str]) -> bytes:
    """Compile the class with javassist, for the classes of ImageJ that may hold state; give its code."""
    made = pool.makeClass(STATE)
    listed = " ".join(name for name in names if _has_state(pool.get(name)))
    made.addField(java("javassist.CtField").make(f'private static String classes = "{listed}";', made))
    made.addField(
        java("javassist.CtField").make("public static java.util.Vector inputs = new java.util.Vector();", made)
    )
    for name in _FIELDS:
        source = f"private static java.util.ArrayList {name} = new java.util.ArrayList();"
        made.addField(java("javassist.CtField").make(source, made))
    for source in _METHODS:
        made.addMethod(java("javassist.CtNewMethod").make(source, made))
    return bytes(made.toBytecode())


def _has_state(type_: Any) -> bool:
    modifiers = java("javassist.Modifier")
    fields = [field for field in type_.getDeclaredFields() if modifiers.isStatic(field.getModifiers())]
    return any(not modifiers.isFinal(field.getModifiers()) or _is_container(field) for field in fields)


def _is_container(field: Any) -> bool:
    signature = str(field.getSignature())
    return signature.startswith("[") or signature.startswith("Ljava/util/")
