// Which texts of an answer lead somewhere on this server.

const ID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

// What holds an id, by the key; `id` itself is what the key beside it with the same value says.
const COLLECTIONS = {
    user_id: 'users',
    sender_id: 'users',
    sender: 'users',
    editor_id: 'users',
    created_by: 'users',
    conversation_id: 'conversations',
    conversation: 'conversations',
    message_id: 'messages',
    notification_id: 'notifications',
    reply_to: 'messages',
};

export class Links {
    // `prefix`: '/api/', or the one that the page was asked by; `rows`: where the rows of this page's
    // list are, 'users/' for those at users/{id}/, null if nowhere.
    constructor(prefix, rows) {
        Object.assign(this, { prefix, rows });
    }

    isId(value) {
        return ID.test(value);
    }

    // The address on this site that a text is as a whole.
    ofText(value) {
        const isRooted = /^\/(?:api|api-auth|static)\/\S*$/.test(value);
        const isAbsolute = value.startsWith(`${location.origin}/`) && !/\s/.test(value);
        if ((!isRooted && !isAbsolute) || /[{}]/.test(value)) return null;
        return new URL(value, location.origin).href;
    }

    // Of an id: {ids: [{key, value}], isRow} is the object (a Frame of json.js) that it is in.
    ofId(key, value, object) {
        if (key === 'id' && object.isRow && this.rows !== null) return `${this.rows}${value}/`;
        const twin = object.ids.find((one) => one.key !== 'id' && one.value === value);
        const collection = COLLECTIONS[key === 'id' ? twin?.key : key];
        return collection ? `${this.prefix}${collection}/${value}/` : null;
    }
}
